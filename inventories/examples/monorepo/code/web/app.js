// SPDX-License-Identifier: GPL-3.0-or-later
const list = document.querySelector("ul");

async function show() {
  const items = await (await fetch("/api/items")).json();
  list.replaceChildren(...items.map((item) => Object.assign(document.createElement("li"), { textContent: item })));
}

document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const title = new FormData(event.target).get("title");
  await fetch("/api/items", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ title }) });
  event.target.reset();
  await show();
});

show();
