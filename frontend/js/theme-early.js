// Loaded before the first paint, so that a remembered theme does not flash; theme.js has the rest.
{
  const theme = localStorage.getItem("lab-theme")
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme
}
