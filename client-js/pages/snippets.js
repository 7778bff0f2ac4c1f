// The address of this gateway in every snippet, and a button that copies it.

for (const code of document.querySelectorAll("pre code")) {
  const socket = location.origin.replace(/^http/, "ws");
  code.textContent = code.textContent.replaceAll("BASE", location.origin).replaceAll("SOCKET", socket);
}

for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      // Without a secure origin there is no clipboard: marked, it is a key away.
      getSelection().selectAllChildren(code);
      button.textContent = "Marked: press Ctrl+C";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}

const tabs = [...document.querySelectorAll("[role=tab]")];

function select(tab, { focus = false } = {}) {
  for (const other of tabs) {
    const isThis = other === tab;
    other.setAttribute("aria-selected", String(isThis));
    other.tabIndex = isThis ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !isThis;
  }
  if (focus) tab.focus();
}

for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", ({ key }) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step) select(tabs[(index + step + tabs.length) % tabs.length], { focus: true });
    else if (key === "Home") select(tabs[0], { focus: true });
    else if (key === "End") select(tabs.at(-1), { focus: true });
  });
}
