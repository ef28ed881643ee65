"use strict";
(() => {
  const form = document.getElementById("ask"), fields = form.elements;
  const answer = document.getElementById("answer"), problem = document.getElementById("problem");
  const dropped = { photos: new Map(), candidates: new Map() }; // by the id that the server gave; each holds its file's name
  let asked = null, waiting = 0;

  const field = (name) => fields.namedItem(name); // of names that a collection has itself, such as length, too
  const other = (name) => "other" in fields[name].selectedOptions[0].dataset;
  const id = (name) => (other(name) ? fields[`${name}_id`].value.trim() : fields[name].value);
  const list = (text, between) => text.split(between).map((item) => item.trim()).filter(Boolean);
  const changed = ({ value, defaultValue }) => (value === defaultValue ? null : Number(value));

  function request() {
    const ticked = new FormData(form), reader = id("reader"), place = id("place");
    return {
      reader, place, stranger: fields.stranger.checked,
      texts: reader ? [] : list(fields.texts.value, "\n"), photos: reader ? [] : [...dropped.photos.keys()],
      place_name: place ? "" : fields.place_name.value, candidates: place ? [] : [...dropped.candidates.keys()],
      k: Number(fields.k.value), theta: Number(fields.theta.value), method: fields.method.value,
      system: fields.system.value, decoding: fields.decoding.value ? [fields.decoding.value] : [],
      tone: changed(fields.tone), length: changed(field("length")), block: list(fields.block.value, ","),
      pin: ticked.getAll("pin"), leave_out: ticked.getAll("leave_out"),
    };
  }

  async function ask() {
    asked?.abort();
    asked = new AbortController();
    const mine = asked;
    if (!id("place") && !dropped.candidates.size) {
      problem.textContent = "";
      answer.setAttribute("aria-busy", "false");
      answer.textContent = "Drop in some photos of the place, or choose one of the list.";
      return;
    }
    answer.setAttribute("aria-busy", "true");
    try {
      const reply = await fetch("/explain", {
        method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(request()), signal: mine.signal,
      });
      const text = await reply.text();
      if (mine !== asked) return;
      problem.textContent = reply.ok ? "" : text;
      if (reply.ok) show(text);
    } catch (error) {
      if (error.name === "AbortError") return;
      problem.textContent = "The server does not answer: is `showcase serve` still running?";
    }
    answer.setAttribute("aria-busy", "false");
  }

  function show(text) { // what the server sends is escaped there; focus and what was folded out stay
    const at = document.activeElement, open = [...answer.querySelectorAll("details")].map((each) => each.open);
    answer.innerHTML = text;
    answer.querySelectorAll("details").forEach((each, index) => { each.open = open[index] ?? false; });
    if (at?.name && at.value && !form.contains(at)) {
      answer.querySelector(`[name="${at.name}"][value="${CSS.escape(at.value)}"]`)?.focus();
    }
  }

  function soon() { clearTimeout(waiting); waiting = setTimeout(ask, 150); }

  function arrange() {
    for (const name of ["reader", "place"]) {
      form.querySelector(`[data-own=${name}]`).hidden = Boolean(fields[name].value) || other(name);
      form.querySelector(`[data-other=${name}]`).hidden = !other(name);
    }
    for (const output of form.querySelectorAll("output")) output.textContent = field(output.htmlFor[0]).value;
  }

  async function add(zone, files) {
    const photos = dropped[zone.dataset.drop], wrong = [];
    for (const file of files) {
      if (file.size > Number(form.dataset.mostBytes)) { wrong.push(`${file.name}: too large`); continue; }
      const reply = await fetch(`/photos?name=${encodeURIComponent(file.name)}`, {
        method: "POST", headers: { "content-type": "application/octet-stream" }, body: file,
      });
      const text = await reply.text();
      if (!reply.ok) { wrong.push(`${file.name}: ${text}`); continue; }
      if (!photos.has(text)) zone.querySelector("ul").append(tile(photos, text, file));
      photos.set(text, file.name);
    }
    if (photos.size) await ask();
    if (wrong.length) problem.textContent = wrong.join("\n");
  }

  function tile(photos, name, file) {
    const item = document.createElement("li"), image = new Image(), remove = document.createElement("button");
    image.src = URL.createObjectURL(file);
    image.alt = remove.title = file.name;
    remove.type = "button";
    remove.textContent = "×";
    remove.setAttribute("aria-label", `remove ${file.name}`);
    remove.addEventListener("click", () => { photos.delete(name); URL.revokeObjectURL(image.src); item.remove(); forget(); soon(); });
    item.append(image, remove);
    return item;
  }

  function forget() { answer.querySelectorAll(".offered input").forEach((box) => { box.checked = false; }); }

  document.addEventListener("input", ({ target }) => {
    if (target.form !== form || target.type === "file") return;
    if (/^place/.test(target.name) && target.name !== "place_name") forget(); // pins are those of the place before
    if (target.checked && /^(pin|leave_out)$/.test(target.name)) {
      target.closest("li").querySelectorAll("input").forEach((box) => { box.checked = box === target; });
    }
    arrange();
    if (!["reader", "place"].some((name) => other(name) && !id(name))) soon(); // an id is still to come
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  for (const zone of document.querySelectorAll(".drop")) {
    const over = (on) => (event) => { event.preventDefault(); zone.classList.toggle("over", on); };
    zone.addEventListener("dragover", over(true));
    zone.addEventListener("dragleave", over(false));
    zone.addEventListener("drop", (event) => { over(false)(event); add(zone, event.dataTransfer.files); });
    zone.querySelector("input").addEventListener("change", ({ target }) => add(zone, target.files));
  }
  addEventListener("dragover", (event) => event.preventDefault()); // a photo dropped beside a zone does not replace the page
  addEventListener("drop", (event) => event.preventDefault());
  arrange();
  ask();
})();
