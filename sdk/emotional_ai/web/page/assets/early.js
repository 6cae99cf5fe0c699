// Runs before anything is drawn: the chosen colours, and the session the navigation leads back to.
const theme = localStorage.getItem("theme");
const dark = theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
document.documentElement.classList.toggle("dark-at-first", dark);
const shown = /^\/s\/([^/]+)$/.exec(location.pathname);
if (shown) sessionStorage.setItem("session", shown[1]);
addEventListener("load", () => {
  const link = document.querySelector("[data-session-link]");
  if (link && sessionStorage.getItem("session")) link.href = "/s/" + sessionStorage.getItem("session");
});
