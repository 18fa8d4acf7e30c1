import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';

/**
 * Checks what prose promises: links and their anchors, named files, named npm scripts, the shape of decision records.
 * Code blocks are not prose, except that a script they call must exist.
 */

const FOLDERS = ['docs', 'documents', 'events', 'functions', 'lint', 'local', 'scripts', 'statemachine', 'test'];
const DECISION_SECTIONS = ['Status', 'Context', 'Positions', 'Decision'];

const scripts = Object.keys(
  (JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }).scripts,
);

function prose(markdown: string): string {
  return markdown.replaceAll(/^(```|~~~)[^\n]*\n[\s\S]*?^\1/gm, '').replaceAll(/<!--[\s\S]*?-->/g, '');
}

/** The anchors of a page as GitHub makes them: lower case, punctuation dropped, spaces to hyphens, repeats numbered. */
function anchors(markdown: string): Set<string> {
  const seen = new Map<string, number>();
  const found = new Set<string>();
  for (const [, heading = ''] of prose(markdown).matchAll(/^#{1,6}\s+(.+?)\s*$/gm)) {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const repeats = seen.get(slug) ?? 0;
    seen.set(slug, repeats + 1);
    found.add(repeats === 0 ? slug : `${slug}-${repeats}`);
  }
  return found;
}

function brokenLinks(page: string, text: string): string[] {
  const links = [...text.matchAll(/\]\(([^()\s]+)(?:\s+"[^"]*")?\)/g), ...text.matchAll(/^\[[^\]]+\]:\s+(\S+)/gm)];
  return links.flatMap(([, link = '']) => {
    if (/^[a-z][a-z+.-]*:/i.test(link)) return [];
    const [path = '', anchor] = decodeURI(link).split('#');
    const target = path === '' ? page : normalize(join(dirname(page), path));
    if (!existsSync(target)) return [`link to ${link}: there is no ${target}`];
    if (anchor === undefined || !target.endsWith('.md')) return [];
    return anchors(readFileSync(target, 'utf8')).has(anchor) ? [] : [`link to ${link}: ${target} has no such heading`];
  });
}

/** Paths in code spans that begin with one of the repository's folders; patterns and placeholders are left alone. */
function missingFiles(text: string): string[] {
  const spans = [...text.matchAll(/`([^`\s]+)`/g)].map(([, span = '']) => span);
  return spans
    .filter((span) => FOLDERS.some((folder) => span.startsWith(`${folder}/`)) && !/[*<>{}$|]/.test(span))
    .filter((span) => !existsSync(span.replace(/[:#].*$/, '')))
    .map((span) => `\`${span}\`: there is no such file`);
}

/** A test that a page names as `test/file.ts`: "words of its title" has these words. */
function missingTests(text: string): string[] {
  return [...text.matchAll(/`(test\/[\w./-]+\.ts)`: "([^"]*)"/g)]
    .filter(
      ([, file = '', title = '']) => !existsSync(file) || title === '' || !readFileSync(file, 'utf8').includes(title),
    )
    .map(([, file, title]) => `${file}: there is no test "${title}"`);
}

function missingScripts(markdown: string): string[] {
  return [...markdown.matchAll(/\bnpm run (?:-s |--silent )?([\w:-]+)/g)]
    .map(([, script = '']) => script)
    .filter((script) => !scripts.includes(script))
    .map((script) => `npm run ${script}: package.json has no such script`);
}

function decisionProblems(page: string, markdown: string): string[] {
  const number = /^(\d{4})-[a-z0-9-]+\.md$/.exec(basename(page))?.[1];
  if (number === undefined) return ['a decision record is named NNNN-in-kebab-case.md'];
  const problems: string[] = [];
  if (!markdown.startsWith(`# ${Number(number)}. `)) problems.push(`the title begins with "# ${Number(number)}. "`);
  const sections = [...markdown.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
  if (sections.join() !== DECISION_SECTIONS.join()) problems.push(`the sections are ${DECISION_SECTIONS.join(', ')}`);
  return problems;
}

const pages = globSync('**/*.md', {
  exclude: ['node_modules/**', 'dist/**', '.cache/**', '.aws-sam/**', '.stryker-tmp/**'],
}).sort();
const decisions = pages.filter((page) => dirname(page) === 'docs/adr' && basename(page) !== 'README.md');
const problems = pages.flatMap((page) => {
  const markdown = readFileSync(page, 'utf8');
  const text = prose(markdown);
  const found = [...brokenLinks(page, text), ...missingFiles(text), ...missingTests(text), ...missingScripts(markdown)];
  if (decisions.includes(page)) found.push(...decisionProblems(page, markdown));
  return found.map((problem) => `${page}: ${problem}`);
});
for (const [index, page] of decisions.entries()) {
  const expected = String(index + 1).padStart(4, '0');
  if (!basename(page).startsWith(expected)) problems.push(`${page}: decision ${expected} comes next`);
}

for (const problem of problems) console.error(problem);
console.log(`${pages.length} pages, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
