import type { BuildStatus } from "../status/imageStatus";
import type { ReportedFinding, StatusReport } from "../status/status";
import { size } from "../system/progress";

/** Words for a build that the registry lacks, completely or in part. */
const wrongs = { missing: "MISSING", incomplete: "INCOMPLETE" } as const;

/** Whether a cell reports a problem. */
export const isWrong = (text: string): boolean => (Object.values(wrongs) as string[]).includes(text);

function presence({ present, lostBlobs = [] }: BuildStatus): string {
    if (present === undefined) return "not known";
    if (!present) return wrongs.missing;
    return lostBlobs.length > 0 ? wrongs.incomplete : "there";
}

/** Returns the cells of a build: presence, size, size shared with the parent, time or the stack that built it, duration, commit. */
function buildCells(build: BuildStatus): string[] {
    const { size: own, sharedSize, sharedLayers, layers, built, seconds, commit, uncommitted, from } = build;
    const time = built === undefined ? "" : `${built.slice(0, 16).replace("T", " ")}Z`;
    const shared = sharedSize === undefined ? "" : `${size(sharedSize)} (${sharedLayers ?? 0}/${layers ?? 0} layers)`;
    return [
        presence(build),
        own === undefined ? "" : size(own),
        shared,
        from === undefined ? time : `by stack ${from}`,
        seconds === undefined ? "" : `${seconds.toFixed(0)} s`,
        commit === undefined ? "" : `${commit.slice(0, 10)}${uncommitted ? "-dirty" : ""}`,
    ];
}

/** Titles of the columns. */
export const buildTitles = [
    "image",
    "platform",
    "in registry",
    "size",
    "shared with parent",
    "built",
    "took",
    "commit",
];

/** Returns the rows of the table: image, platform, then `buildCells`. */
export const buildRows = ({ images }: StatusReport): string[][] =>
    images.flatMap(({ image, builds }) =>
        builds.map((build, index) => [index === 0 ? image : "", build.platform, ...buildCells(build)]),
    );

/** Titles of the kinds of findings. */
export const kindTitles = { drift: "drift", unknown: "could not be asked", note: "notes" } as const;

/** Title of `repairsTogether`. */
export const togetherTitle = "all drift at once";

/** Returns the commands that repair all drift at once; empty for a single difference. */
export const repairsTogether = ({ findings, repairs }: StatusReport): readonly string[] =>
    findings.filter(({ kind }) => kind === "drift").length > 1 ? repairs : [];

/** Summarises the report in one sentence. */
export function verdictText({ stack, verdict, findings }: StatusReport): string {
    const count = (kind: ReportedFinding["kind"]) => findings.filter((finding) => finding.kind === kind).length;
    const said = {
        "in step": "state and reality agree",
        drift: `state and reality differ in ${count("drift")} ${count("drift") === 1 ? "thing" : "things"}`,
        unknown: "could not tell whether state and reality agree",
    };
    return `stack ${stack}: ${said[verdict]}`;
}

const codes = { red: 31, yellow: 33, green: 32, bold: 1 } as const;

/** Renders the report for a terminal or a log. Each command has a line of its own, for copying. */
export function statusText(report: StatusReport, colour: boolean): string {
    const paint = (code: keyof typeof codes, text: string) => (colour ? `\x1b[${codes[code]}m${text}\x1b[0m` : text);
    const rows = [buildTitles, ...buildRows(report)];
    const widths = buildTitles.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
    const line = (row: readonly string[]) =>
        row
            .map((cell, at) => cell.padEnd(widths[at] ?? 0))
            .join("  ")
            .trimEnd();
    const table = rows.map((row, index) => {
        const text = line(row);
        return index === 0 ? paint("bold", text) : row.some(isWrong) ? paint("red", text) : text;
    });
    const section = (kind: ReportedFinding["kind"]) => {
        const found = report.findings.filter((finding) => finding.kind === kind);
        if (found.length === 0) return [];
        const title = paint(kind === "drift" ? "red" : kind === "unknown" ? "yellow" : "bold", kindTitles[kind]);
        const lines = found.flatMap(({ about, text, command }) => [
            `  ${about}: ${text}`,
            ...(command === undefined ? [] : [`      ${command}`]),
        ]);
        return ["", title, ...lines];
    };
    const together = repairsTogether(report);
    return [
        paint({ "in step": "green", drift: "red", unknown: "yellow" }[report.verdict] as "red", verdictText(report)),
        ...(report.images.length > 0 ? ["", ...table] : []),
        ...section("drift"),
        ...section("unknown"),
        ...section("note"),
        ...(together.length > 0
            ? ["", paint("bold", togetherTitle), ...together.map((command) => `      ${command}`)]
            : []),
        "",
    ].join("\n");
}
