// Narrows the list of hosts while somebody types. Without it the form asks the server, by the same words.

const field = document.getElementById("q");
const found = document.getElementById("found");
const said = found?.textContent ?? "";
// Where more fit than are shown, only the server knows all of them.
const rest = found?.dataset.part === undefined ? "" : ", of those shown: Find looks at all";
let typed = false;

// Every word has to be within the row.
function narrow() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const section of document.querySelectorAll("section.group")) {
    let here = 0;
    const group = section.querySelector("h2").textContent.toLowerCase();
    for (const row of section.querySelectorAll("tbody tr")) {
      const text = `${group} ${row.textContent.toLowerCase()}`;
      row.hidden = !words.every((word) => text.includes(word));
      if (!row.hidden) here += 1;
    }
    section.hidden = here === 0;
    shown += here;
  }
  const count = shown === 1 ? "1 host fits" : `${shown} hosts fit`;
  found.textContent = words.length === 0 ? said : count + rest;
}

if (field && found) {
  // What the server has narrowed already stays as it is until somebody types.
  field.addEventListener("input", () => {
    typed = true;
    narrow();
  });
  document.addEventListener("andon:fresh", () => typed && narrow());
}
