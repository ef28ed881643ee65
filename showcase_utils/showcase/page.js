"use strict";
(() => {
  const filters = [...document.querySelectorAll("[data-filter]")];
  const cards = [...document.querySelectorAll(".showcase")];
  const count = document.getElementById("count");
  const side = document.getElementById("side");
  const apply = () => {
    let shown = 0;
    for (const card of cards) {
      const fits = filters.every((f) => !f.value || card.dataset[f.dataset.filter] === f.value);
      card.hidden = !fits;
      shown += fits;
    }
    if (count) count.textContent = shown === 1 ? "1 showcase" : `${shown} showcases`;
  };
  for (const filter of filters) filter.addEventListener("change", apply);
  if (side) side.addEventListener("change", () => document.getElementById("showcases").classList.toggle("side", side.checked));
  const form = document.querySelector("form.filters");
  if (form) form.addEventListener("submit", (event) => event.preventDefault());
})();
