// Search, filter and sort the topics of the page. Texts are only compared, or set as textContent:
// they never become markup.
"use strict";
{
  const find = (id) => document.getElementById(id);
  const list = find("list"), search = find("search"), topic = find("topic"), sort = find("sort");
  const reset = find("reset"), status = find("status"), form = search.form;
  let term = null; // if set, only topics with this term are shown

  // A term that can be clicked is a button; without this script it is plain text.
  for (const span of list.querySelectorAll(".term")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "term";
    button.dir = "auto";
    button.textContent = span.textContent;
    button.setAttribute("aria-pressed", "false");
    span.replaceWith(button);
  }

  const texts = (element, kind) => [...element.querySelectorAll(kind)].map((e) => e.textContent);
  const cards = [...list.children].map((element, place) => {
    const terms = texts(element, ".term");
    return {
      element,
      number: place + 1,
      name: element.querySelector(".name").textContent,
      share: Number(element.dataset.share),
      documents: Number(element.dataset.documents),
      terms: new Set(terms),
      words: [...terms, ...texts(element, ".title, .text")].join("\n").toLowerCase(),
    };
  });

  const orders = {
    number: (a, b) => a.number - b.number,
    share: (a, b) => b.share - a.share || a.number - b.number,
    documents: (a, b) => b.documents - a.documents || a.number - b.number,
    name: (a, b) => a.name.localeCompare(b.name) || a.number - b.number,
  };

  for (const card of cards) topic.add(new Option(`${card.number} ${card.name}`, card.number));

  function update() {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const card of cards) {
      const fits =
        card.words.includes(wanted) &&
        (!topic.value || card.number === Number(topic.value)) &&
        (term === null || card.terms.has(term));
      card.element.hidden = !fits;
      shown += fits;
    }
    for (const button of list.querySelectorAll("button.term")) {
      button.setAttribute("aria-pressed", String(button.textContent === term));
    }
    const all = !wanted && !topic.value && term === null;
    reset.disabled = all;
    const having = term === null ? "" : ` with “${term}”`;
    status.textContent = all ? `${cards.length} topics` : `${shown} of ${cards.length} topics${having}`;
  }

  function arrange() {
    list.append(...cards.sort(orders[sort.value]).map((card) => card.element));
  }

  function showAll() {
    search.value = topic.value = "";
    term = null;
    update();
  }

  list.addEventListener("click", (event) => {
    const button = event.target.closest("button.term");
    if (!button) return;
    term = button.textContent === term ? null : button.textContent;
    search.value = topic.value = "";
    update();
    if (term === null) button.scrollIntoView({ block: "center" });
    else find("topics").scrollIntoView();
  });
  // A link to a topic that is filtered out brings it back before the browser goes there.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#topic-"]');
    const target = link && find(link.getAttribute("href").slice(1));
    if (target && target.hidden) showAll();
  });
  search.addEventListener("input", update);
  topic.addEventListener("change", update);
  sort.addEventListener("change", arrange);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault(); // the order stays
    showAll();
    search.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !reset.disabled) showAll();
  });

  form.hidden = false;
  arrange();
  update();
}
