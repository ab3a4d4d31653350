import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The server a page under development talks to. */
const SERVER = "http://127.0.0.1:7600";

export default defineConfig({
  base: "/",
  plugins: [react()],
  build: {
    outDir: "../src/treering/web/static",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0,
    target: "es2022",
    sourcemap: false,
    // Bundled packages keep their licences beside them.
    license: { fileName: "licenses.md" },
  },
  server: { proxy: { "/api": SERVER } },
});
