"use strict";
(() => {
  // A photo that is shown twice is in the page once: the others take it from there. Those far below wait until one is near.
  const show = (image) => {
    const holder = image.dataset.same ? document.getElementById(image.dataset.same) : image;
    image.src = holder.dataset.src ?? holder.src;
    image.removeAttribute("data-same");
  };
  const again = () => document.querySelectorAll("img[data-same], img[data-src]:not([src])");
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) { near.unobserve(target); show(target); }
  }, { rootMargin: "100% 0%" });
  again().forEach((image) => near.observe(image));
  addEventListener("beforeprint", () => again().forEach(show));

  const filters = [...document.querySelectorAll("[data-filter]")];
  if (!filters.length) return;
  const cards = [...document.querySelectorAll(".showcase")];
  const count = document.getElementById("count");
  const apply = () => {
    let shown = 0;
    for (const card of cards) {
      const fits = filters.every((f) => !f.value || card.dataset[f.dataset.filter] === f.value);
      card.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown === 1 ? "1 showcase" : `${shown} showcases`;
  };
  filters.forEach((filter) => filter.addEventListener("change", apply));
  const side = document.getElementById("side");
  side.addEventListener("change", () => document.getElementById("showcases").classList.toggle("side", side.checked));
  document.querySelector("form.filters").addEventListener("submit", (event) => event.preventDefault());
  if (filters.some((f) => f.value)) apply(); // what a browser remembers of the page's last visit
})();
