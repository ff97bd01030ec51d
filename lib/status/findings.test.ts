import { expect, test } from "../../tests/mocha";
import { type Finding, exitCode, unknownFindings } from "./findings";
import { repairAll, repairCommand } from "./repair";

const lab = { stack: "local", isLab: true, isCi: false };
const ci = { stack: "acme/ci", isLab: false, isCi: true };
const finding = (kind: Finding["kind"]): Finding => ({ kind, about: "x", text: "y" });
const drift = (repair: NonNullable<Finding["repair"]>): Finding => ({ ...finding("drift"), repair });

test("drift outweighs what could not be asked, notes count for nothing", () => {
    expect(exitCode([])).toBe(0);
    expect(exitCode([finding("note")])).toBe(0);
    expect(exitCode([finding("note"), finding("unknown")])).toBe(1);
    expect(exitCode([finding("unknown"), finding("drift")])).toBe(2);
});

test("what failed for one reason is one finding, each thing named once", () => {
    const failed = [
        { what: "a", reason: "refused" },
        { what: "b", reason: "refused" },
        { what: "a", reason: "refused" },
        { what: "c", reason: "no answer" },
    ];
    expect(unknownFindings("GitHub", failed).map(({ text }) => text)).toEqual([
        "refused (wanted: a, b)",
        "no answer (wanted: c)",
    ]);
});

test("commands are the lab's for its stack and plain Pulumi's for another, with URNs quoted for a shell", () => {
    expect(repairCommand(lab, { by: "replace", urn: "urn:a$b::c" })).toBe("npm run up -- --replace 'urn:a$b::c'");
    expect(repairCommand(lab, { by: "up" })).toBe("npm run up");
    expect(repairCommand(ci, { by: "refresh", urn: "urn:it's" })).toBe(
        `pulumi up --stack 'acme/ci' --refresh --target 'urn:it'\\''s'`,
    );
});

test("all drift takes one refresh of what is looked at, then one replacement of the rest", () => {
    const all = [
        drift({ by: "replace", urn: "a" }),
        drift({ by: "refresh", urn: "b" }),
        drift({ by: "replace", urn: "c" }),
        drift({ by: "refresh", urn: "d" }),
        { ...finding("note"), repair: { by: "up" } } as const,
    ];
    expect(repairAll(lab, all)).toEqual([
        "npm run up -- --refresh --target 'b' --target 'd'",
        "npm run up -- --replace 'a' --replace 'c'",
    ]);
    expect(repairAll(lab, [finding("note")])).toEqual([]);
});

test("what was lost is made after what it is made from, and the lab's registry started anew where it must be", () => {
    const child = { by: "replace", urn: "b", from: ["a"] } as const;
    const remembered = { by: "replace", urn: "a", restart: true } as const;
    expect(repairCommand(lab, child)).toBe("npm run up -- --replace 'a' --replace 'b'");
    expect(repairCommand(lab, remembered)).toBe("npm run down && npm run up -- --replace 'a'");
    // The stack cannot start another registry.
    expect(repairCommand(ci, remembered)).toBe("pulumi up --stack 'acme/ci' --replace 'a'");
    expect(repairAll(lab, [drift(remembered), drift(child)])).toEqual([
        "npm run down && npm run up -- --replace 'a' --replace 'b'",
    ]);
});

test("drift that any `up` repairs takes one of its own only where none replaces something", () => {
    const proposed = drift({ by: "up" });
    const refreshed = drift({ by: "refresh", urn: "b" });
    expect(repairAll(lab, [proposed, refreshed, proposed])).toEqual([
        "npm run up -- --refresh --target 'b'",
        "npm run up",
    ]);
    expect(repairAll(lab, [proposed, drift({ by: "replace", urn: "a" })])).toEqual(["npm run up -- --replace 'a'"]);
});
