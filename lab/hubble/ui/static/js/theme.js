// Light, dark, or as the system says; remembered in this browser.

const KEY = "hubble-theme";

export const system = matchMedia("(prefers-color-scheme: dark)");

/** "light", "dark", or "" for the system's. */
export const chosenTheme = () => localStorage.getItem(KEY) ?? "";

export function chooseTheme(name) {
  localStorage.setItem(KEY, name);
  showTheme();
}

/** Give the page the colours that are wanted now. */
export function showTheme() {
  document.documentElement.dataset.theme = chosenTheme() || (system.matches ? "dark" : "light");
}
