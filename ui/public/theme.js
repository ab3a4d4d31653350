// Runs before the first paint, so that a chosen theme does not flash in the other one.
try {
  const theme = JSON.parse(localStorage.getItem("treering.prefs") || "{}").theme;
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden: the system's colours then.
}
