/* Sorting of the table of every image. */
const byId = (id) => document.getElementById(id);

const INFINITE = { inf: Infinity, "-inf": -Infinity };
const valueOf = (row, column) => {
  const text = row.children[column].dataset.value;
  return text in INFINITE ? INFINITE[text] : Number(text);
};

function sortBy(table, header, column) {
  const ascending = header.getAttribute("aria-sort") !== "ascending";
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => ({ row, value: valueOf(row, column) }));
  rows.sort((one, two) => {
    if (Number.isNaN(one.value) || Number.isNaN(two.value)) {
      return Number.isNaN(one.value) - Number.isNaN(two.value);
    }
    if (one.value === two.value) return 0;
    return one.value < two.value === ascending ? -1 : 1;
  });
  body.append(...rows.map(({ row }) => row));
  for (const other of header.parentElement.children) {
    other.setAttribute("aria-sort", "none");
  }
  header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const order = ascending ? "ascending" : "descending";
  byId("sorted").textContent = `Sorted by ${header.textContent.trim()}, ${order}.`;
}

const table = byId("each");
const headers = [...table.tHead.rows[1].children];
headers.forEach((header, column) => {
  header.firstChild.addEventListener("click", () => sortBy(table, header, column));
});
