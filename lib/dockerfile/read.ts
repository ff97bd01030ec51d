import { normalPlatform, type Platform, hostPlatform } from "../platform";
import { sameImage } from "../registry/references";
import { readForeign } from "./foreign";
import { frontendOf, withoutSyntax } from "./frontends";
import { meaningOf } from "./meaning";
import { type Statement, readStatements } from "./parse";
import type { ReadStage, DockerfileReading } from "./reading";
import { readStages, checkReference, type ReadOptions } from "./stages";
import { type NeededUse, readTarget } from "./target";
import type { Environment } from "./variables";

/** The images that a target uses, each use with its reference. */
function imagesIn(uses: readonly NeededUse[]): (NeededUse & { readonly from: string })[] {
    return uses.flatMap((one) => {
        const { from } = one.use;
        const isImage = from !== undefined && one.stage === undefined && from !== "scratch";
        return isImage ? [{ ...one, from: checkReference(from, one.use) }] : [];
    });
}

/** The platforms of an image, in any spelling, that are used where `platform` is built for. */
function platformsUsed(uses: readonly NeededUse[], image: string, platform: Platform, from = false): Platform[] {
    const own = imagesIn(uses).filter((one) => sameImage(one.from, image) && (!from || one.use.instruction === "FROM"));
    return [...new Set(own.map(({ use }) => use.platform ?? normalPlatform(platform)))];
}

/**
 * Reads a Dockerfile as BuildKit does for `platforms`, and returns the union: only stages that the target needs count,
 * with ARG defaults, build arguments and ENV expanded (Dockerfile reference; moby/buildkit v0.31 frontend/dockerfile).
 * What ONBUILD of images leaves is read as a part of the stages built FROM them. The builder is taken to be of this machine's
 * platform, unless a build argument BUILDPLATFORM says otherwise. What a frontend of somebody else's reads is not known: see
 * `readForeign`.
 *
 * @throws InputError with file and line for what BuildKit would refuse, and where a variable has no value
 */
export function readDockerfile(text: string, options: ReadOptions): DockerfileReading {
    const frontend = frontendOf(text, options);
    if (frontend && !frontend.own) return { ...readForeign(text, options), frontend };
    const read = readStatements(text, options.path);
    const { escape, statements } = read;
    const references = new Map<string, DockerfileReading["references"][number]>();
    const sources = new Map<string, DockerfileReading["sources"][number]>();
    const stages = new Map<number, ReadStage>();
    const secrets = new Map<string, DockerfileReading["secrets"][number]>();
    const triggered: Statement[] = [];
    const environment: Partial<Record<Platform, Environment>> = {};
    for (const platform of options.platforms) {
        const readFor = (build: Platform) =>
            readTarget(readStages(statements, escape, options, { target: platform, build }), options);
        const native = readFor(hostPlatform());
        const emulated = platform === hostPlatform() ? native : readFor(platform);
        const { uses } = native;
        environment[normalPlatform(platform)] = native.environment;
        for (const { stage, number, base } of native.stages) {
            triggered.push(...stage.left);
            const {
                name,
                uses: [from],
            } = stage;
            const isBase = base || (stages.get(number)?.base ?? false);
            stages.set(number, { name, number, line: from?.line ?? 0, base: isBase });
        }
        for (const { from, use, base } of imagesIn(uses)) {
            const known = references.get(from);
            const { line, instruction, left } = base || !known ? use : known;
            const used = {
                native: platformsUsed(uses, from, platform),
                emulated: platformsUsed(emulated.uses, from, platform),
            };
            // What FROM --platform=$BUILDPLATFORM gets is known only to the builder: either may run.
            const below = [uses, emulated.uses].flatMap((one) => platformsUsed(one, from, platform, true));
            references.set(from, {
                ...{ expanded: from, line, instruction, ...(left !== undefined && { left }) },
                base: base || (known?.base ?? false),
                platforms: { ...known?.platforms, [platform]: used },
                from: { ...known?.from, ...(below.length > 0 && { [platform]: [...new Set(below)] }) },
            });
        }
        for (const { use } of uses) {
            const place = { line: use.line, ...(use.left !== undefined && { left: use.left }) };
            const secret = use.secret && { ...use.secret, ...place };
            if (secret) secrets.set(JSON.stringify(secret), secret);
            for (const source of use.sources ?? []) {
                const one = { ...source, ...place, instruction: use.instruction };
                sources.set(JSON.stringify(one), one);
            }
        }
    }
    return {
        references: [...references.values()],
        stages: [...stages.values()].sort((a, b) => a.number - b.number),
        secrets: [...secrets.values()],
        sources: [...sources.values()],
        environment,
        // Where the builder's own frontend reads it, nothing may name another.
        meaning: meaningOf(
            frontend ? text : withoutSyntax(text),
            read,
            new Map([...stages].map(([number, { base }]) => [number, base])),
            {
                ...(frontend && { syntax: frontend.reference + frontend.rest }),
                check: options.buildArgs?.BUILDKIT_DOCKERFILE_CHECK,
                triggers: triggered,
            },
        ),
        triggers: Object.fromEntries(
            [...references.values()].flatMap(({ expanded, from }) => {
                const triggers = Object.keys(from).length > 0 ? (options.triggersOf?.(expanded) ?? []) : [];
                return triggers.length > 0 ? [[expanded, triggers] as const] : [];
            }),
        ),
        ...(frontend && { frontend }),
    };
}
