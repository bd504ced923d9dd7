// What a reader of the components' scripts can rely on; run by .ci/run, with nothing of it in the product.
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const COMPONENTS = "studio/ui/components";
const OF_THE_BROWSER = (
  "AbortSignal clearInterval clearTimeout console CSS DataTransfer document Event fetch File getComputedStyle IntersectionObserver location matchMedia " +
  "MutationObserver Node performance requestAnimationFrame ResizeObserver sessionStorage setInterval setTimeout window"
).split(" ");
const OF_GRADIO = ["element", "props", "server", "trigger", "watch"]; // what gr.HTML gives to a script

/* The names that a script declares for those that are put together with it. */
const declaredIn = (file) =>
  [...readFileSync(file, "utf8").matchAll(/^(?:async )?(?:const|let|class|function) (\w+)/gm)].map((match) => match[1]);
const names = (list, kind) => Object.fromEntries(list.map((name) => [name, kind]));
const scriptsIn = (folder) => readdirSync(folder).filter((name) => name.endsWith(".js")).map((name) => join(folder, name));

const shared = join(COMPONENTS, "shared.js");
const scripts = [shared, ...readdirSync(COMPONENTS, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? scriptsIn(join(COMPONENTS, entry.name)) : []))];
const besides = (file) => [shared, ...(file === shared ? [] : scriptsIn(dirname(file)))].filter((other) => other !== file);

const RULES = {
  "array-callback-return": "error",
  "consistent-return": "off",
  curly: ["error", "multi-line"],
  "default-case-last": "error",
  eqeqeq: ["error", "always", { null: "ignore" }],
  "max-len": ["error", { code: 119 }],
  "max-lines": ["error", 300],
  "max-lines-per-function": ["error", 60],
  "no-constant-condition": "error",
  "no-dupe-keys": "error",
  "no-duplicate-case": "error",
  "no-empty": ["error", { allowEmptyCatch: false }],
  "no-implicit-globals": "off",
  "no-nested-ternary": "error",
  "no-redeclare": "error",
  "no-self-assign": "error",
  "no-shadow-restricted-names": "error",
  "no-undef": "error",
  "no-unreachable": "error",
  "no-unsafe-optional-chaining": "error",
  "no-unused-vars": ["error", { vars: "local", args: "after-used", argsIgnorePattern: "^_" }],
  "no-use-before-define": "off",
  "no-useless-concat": "error",
  "no-var": "error",
  "object-shorthand": "error",
  "one-var": "off",
  "prefer-const": ["error", { destructuring: "all" }],
  "prefer-template": "error",
};

export default scripts.map((file) => ({
  files: [file.replaceAll("\\", "/")],
  languageOptions: {
    ecmaVersion: 2024,
    sourceType: "script",
    globals: { ...names([...OF_THE_BROWSER, ...OF_GRADIO], "readonly"), ...names(besides(file).flatMap(declaredIn), "writable") },
  },
  linterOptions: { reportUnusedDisableDirectives: "error" },
  name: basename(file),
  rules: RULES,
}));
