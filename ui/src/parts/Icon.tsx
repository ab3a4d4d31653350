/** Line icons drawn on a 16 px grid. */
const PATHS = {
  close: "M4 4l8 8M12 4l-8 8",
  plus: "M8 3.5v9M3.5 8h9",
  minus: "M3.5 8h9",
  down: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  left: "M10 4l-4 4 4 4",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.3 10.3l3.2 3.2",
  clock: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11M8 5v3.2l2 1.3",
  refresh: "M13 8a5 5 0 1 1-1.5-3.6M13 2.5v3h-3",
  zoomOut: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9M10.3 10.3l3.2 3.2M5 7h4",
  play: "M5 3.5v9l7-4.5z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  columns: "M2.5 3.5h11v9h-11zM6.2 3.5v9M9.8 3.5v9",
  wrap: "M2.5 4h11M2.5 8h8.5a2 2 0 0 1 0 4H8M9.5 10.5L8 12l1.5 1.5",
  rows: "M2.5 4h11M2.5 8h11M2.5 12h11",
  history: "M3 8a5 5 0 1 0 1.5-3.6M3 2.5v3h3M8 5.5V8l1.8 1.2",
  copy: "M5.5 5.5h7v7h-7zM3.5 10.5v-7h7",
  link: "M6.5 9.5l3-3M7 4.5l1-1a2.8 2.8 0 0 1 4 4l-1 1M9 11.5l-1 1a2.8 2.8 0 0 1-4-4l1-1",
  trace: "M2.5 4h6M5 8h6M8 12h5.5",
  sun: "M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6M8 1.5v1.4M8 13.1v1.4M1.5 8h1.4M13.1 8h1.4M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5",
  help: "M6 6.2a2 2 0 1 1 2.8 1.9c-.6.3-.8.7-.8 1.4M8 11.8v.2",
  command: "M6 6h4v4H6zM6 6H4.5A1.5 1.5 0 1 1 6 4.5zM10 6V4.5A1.5 1.5 0 1 1 11.5 6zM10 10h1.5a1.5 1.5 0 1 1-1.5 1.5zM6 10v1.5A1.5 1.5 0 1 1 4.5 10z",
  download: "M8 2.5v7.5M5 7.2l3 3 3-3M3 13h10",
  up: "M8 13V4M4.5 7.2L8 3.7l3.5 3.5",
  panel: "M2.5 3.5h11v9h-11zM6.5 3.5v9",
  alert: "M8 2.5l6 10.5H2zM8 6.5v3M8 11.3v.2",
  check: "M3.5 8.5l3 3 6-7",
  home: "M2.5 7.5L8 3l5.5 4.5M4 6.8v6.2h8V6.8M6.8 13V9.5h2.4V13",
  chat: "M3 3.5h10v7H7.5L4.5 13v-2.5H3z",
  shield: "M8 2.3l5 1.8v3.7c0 3-2.1 4.9-5 5.9-2.9-1-5-2.9-5-5.9V4.1z",
  scale: "M8 2.5v11M4.5 13.5h7M3 5h10M3 5L1.5 9a1.8 1.8 0 0 0 3 0zM13 5l-1.500 4a1.800 1.800 0 0 0 3 0z",
  trend: "M2.5 2.500v11h11M4.500 5c1.500 4 3.500 5.500 8 6",
  grid: "M2.500 3h5v4.500h-5zM9.500 3h4v7h-4zM2.500 9.500h5V13h-5zM9.500 12h4v1h-4z",
  bell: "M8 2.500a3.500 3.500 0 0 0-3.500 3.500c0 3-1.500 4.500-1.500 4.500h10S11.500 9 11.500 6A3.500 3.500 0 0 0 8 2.500M6.800 12.500a1.300 1.300 0 0 0 2.400 0",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark: a cut trunk, its rings and the crack that every record runs along. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d="M12.2 1.9c5.9-.2 10 4.2 9.9 9.9-.1 6-4.3 10.3-10 10.3-6 0-10.2-4.3-10.2-10 0-5.9 4.3-10 10.3-10.2Z" />
      <path d="M12.5 5.6c3.7-.1 6.1 2.8 6 6.4-.1 3.8-2.7 6.4-6.3 6.4-3.8 0-6.5-2.6-6.5-6.2 0-3.8 2.9-6.5 6.8-6.6Z" />
      <path d="M12.7 9c1.9 0 3 1.5 2.9 3.2 0 1.9-1.4 3.1-3.2 3.1-2 0-3.3-1.3-3.2-3.1.1-1.9 1.5-3.2 3.5-3.2Z" />
      <path d="M12.5 12.2 21 7" />
    </svg>
  );
}
