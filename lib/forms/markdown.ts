import type { Action } from "../plan/builds";
import type { ImagePlan } from "../plan/images";
import type { Plan } from "../plan/plan";
import { roughly } from "../system/progress";
import { treeLines } from "./tree";
import { countsOf, deploymentText, expectedSentence, reasonOf, secondsOf } from "./words";
import { typed } from "../system/commandLine";

/** GitHub accepts comments of up to 65,536 characters; a chart with more images is not readable. */
const limits = { bytes: 59_500, chart: 80 } as const;

/** Fill and border colours that are readable on light and dark pages. */
const fills: Readonly<Record<Action, string>> = {
    rebuild: "fill:#d97706,stroke:#92400e,color:#ffffff",
    maybe: "fill:#2563eb,stroke:#1e3a8a,color:#ffffff",
    recreate: "fill:#d97706,stroke:#92400e,color:#ffffff",
    retag: "fill:#059669,stroke:#064e3b,color:#ffffff",
    retest: "fill:#059669,stroke:#064e3b,color:#ffffff",
    remove: "fill:#dc2626,stroke:#7f1d1d,color:#ffffff",
    unchanged: "fill:#6b7280,stroke:#374151,color:#ffffff",
};

/**
 * Escapes text for GitHub's Markdown, also inside a table. A backslash does not stop "@", "#" and addresses ("https://…",
 * "www.…") from becoming mentions or links, so a zero-width space is inserted.
 */
const escape = (text: string): string =>
    text
        .replace(/[\p{Cc}\s]+/gu, " ")
        .replace(/&/g, "&amp;")
        .replace(/[\\`*_{}[\]<>()+!|~$]/g, "\\$&")
        .replace(/[@#]|:(?=\/\/)|\bwww(?=\.)/gi, "$&&#8203;");

/** Escapes text between the quotes of a Mermaid node. */
const quoted = (text: string): string => text.replace(/[#"<>&`\\]/g, (one) => `#${one.charCodeAt(0).toString()};`);

/** Shortens the digest of a reference, which would be wider than everything else. */
const withShortDigest = (reference: string): string => reference.replace(/(@sha256:[0-9a-f]{12})[0-9a-f]+$/, "$1");

function chart(images: readonly ImagePlan[]): string[] {
    if (images.length === 0 || images.length > limits.chart) return [];
    const id = (image: string) => `i${images.findIndex((plan) => plan.image === image).toString()}`;
    const roots = [...new Set(images.flatMap(({ root }) => root ?? []))];
    const rootId = (root: string) => `r${roots.indexOf(root).toString()}`;
    const isKnown = (key?: string): key is string => images.some(({ image }) => image === key);
    const used = new Set(images.map(({ action }) => action));
    return [
        "```mermaid",
        "flowchart LR",
        ...roots.map((root) => `    ${rootId(root)}(["${quoted(withShortDigest(root))}"])`),
        ...images.map(({ image, action }) => `    ${id(image)}["${quoted(image)}<br/>${action}"]:::${action}`),
        ...images.flatMap(({ image, parent, copiesFrom = [], root }) => [
            ...(root === undefined ? [] : [`    ${rootId(root)} --> ${id(image)}`]),
            ...(isKnown(parent) ? [`    ${id(parent)} --> ${id(image)}`] : []),
            ...copiesFrom.filter(isKnown).map((other) => `    ${id(other)} -.-> ${id(image)}`),
        ]),
        ...[...used].map((action) => `    classDef ${action} ${fills[action]}`),
        "```",
    ];
}

function imageRows(images: readonly ImagePlan[]): string[] {
    const rows = treeLines(images).map(({ plan, depth }) => {
        const seconds = secondsOf(plan);
        const name = `${"&nbsp;&nbsp;".repeat(depth * 2)}${escape(plan.image)}`;
        const action = plan.action === "unchanged" ? "unchanged" : `**${plan.action}**`;
        return `| ${name} | ${action} | ${escape(reasonOf(plan))} | ${seconds === undefined ? "" : roughly(seconds)} |`;
    });
    return ["| image | action | why | time |", "| --- | --- | --- | ---: |", ...rows];
}

const list = (title: string, lines: readonly string[]): string[] =>
    lines.length > 0 ? [`**${title}**`, "", ...lines] : [];

/** Cuts a text at a line break so that it fits into a comment; a chart is kept completely or dropped. */
function shortened(text: string, stack: string): string {
    let room = limits.bytes;
    const lines = text.split("\n");
    const fits = lines.findIndex((line) => (room -= Buffer.byteLength(line) + 1) < 0);
    if (fits === -1) return text;
    const kept = lines.slice(0, fits);
    const fences = kept.flatMap((line, index) => (line.startsWith("```") ? [index] : []));
    const whole = fences.length % 2 === 0 ? kept : kept.slice(0, fences.at(-1));
    const command = typed("review", "--stack", stack);
    return [...whole, "", `The rest is too long for a comment; all of it: \`${command}\``].join("\n");
}

/** Renders the plan for a pull request's comment or a step's summary. */
export function markdownForm(plan: Plan): string {
    const { images, deployments, repository, dangers, warnings } = plan;
    const blocks = [
        [`### Review of stack ${escape(plan.stack)}: ${countsOf(plan)}`],
        dangers.length > 0 ? ["> [!CAUTION]", ...dangers.map((danger) => `> - ${escape(danger)}`)] : [],
        images.some(({ action }) => action !== "unchanged") ? chart(images) : [],
        images.length > 0 ? imageRows(images) : [],
        [expectedSentence(plan)],
        list(
            "Deployments",
            deployments.map((one) => `- **${one.action}**: ${escape(deploymentText(one))}`),
        ),
        list(
            "GitHub",
            repository.map(({ kind, name, action }) => `- ${action}: ${kind} ${escape(name)}`),
        ),
        list(
            "Warnings",
            warnings.map((warning) => `- ${escape(warning)}`),
        ),
        plan.pending ? [] : ["Nothing to do."],
    ];
    const text = blocks
        .map((lines) => lines.join("\n"))
        .filter((block) => block !== "")
        .join("\n\n");
    return `${shortened(text, plan.stack)}\n`;
}
