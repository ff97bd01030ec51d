import { readForeign } from "./foreign";
import { type Frontend, frontendOf, withoutSyntax } from "./frontends";
import { type Platform, hostPlatform } from "../hierarchy/definition";
import { type Meaning, meaningOf } from "./meaning";
import { type PlatformUses, normalPlatform } from "../hierarchy/place";
import { sameImage } from "../registry/references";
import type { MountedSecret, Source } from "./reads";
import { readStages } from "./readStages";
import type { Environment } from "./variables";
import { type ImagesBelow, type Use, checkReference } from "./stages";
import { type Statement, type Trigger, readStatements } from "./statements";
import { type NeededUse, readTarget } from "./target";

/** A stage that the target needs. */
export interface ReadStage {
    readonly name: string | undefined;
    /** From 0, as BuildKit counts. */
    readonly number: number;
    readonly line: number;
    /** Whether it is the target or in its chain of FROMs, for some platform: the image holds it as it is. */
    readonly base: boolean;
}

/** What a Dockerfile says of its place in the hierarchy: the images it stands on and the files it reads. */
export interface DockerfileReading {
    /** External images of the stages that the target needs, in order, each once. */
    readonly references: readonly {
        /** The reference as BuildKit sees it after expansion: the key of a named build context. */
        readonly expanded: string;
        readonly line: number;
        readonly instruction: Use["instruction"];
        /** Where the ONBUILD stands that names it, if one does. */
        readonly left?: string;
        /** Whether the target is built FROM it, rather than copying from it. */
        readonly base: boolean;
        readonly platforms: PlatformUses;
        /**
         * By platform that is built for, the platforms of it that needed stages are built FROM: its ONBUILD runs there, and not where
         * a stage only copies from it (dockerfile2llb, resolveBaseImage).
         */
        readonly from: FromUses;
    }[];
    /** The stages that the target needs, in order. */
    readonly stages: readonly ReadStage[];
    /** The build secrets that the needed stages mount. */
    readonly secrets: readonly (MountedSecret & Pick<Use, "line" | "left">)[];
    /** What the needed stages read from the build context. */
    readonly sources: readonly (Source & Pick<Use, "line" | "left"> & { readonly instruction: string })[];
    /** What reads the Dockerfile instead of the builder itself. One that is not BuildKit's own may do with it what it likes. */
    readonly frontend?: Frontend;
    /** By platform that is built for, the variables that the image brings to what is built FROM it. */
    readonly environment: Readonly<Partial<Record<Platform, Environment>>>;
    /** What all this means to BuildKit: what is built and hashed. */
    readonly meaning: Meaning;
    /** By reference as in `references`, what ONBUILD of an image left to the stages that are built FROM it; absent where nothing. */
    readonly triggers: Readonly<Record<string, readonly Trigger[]>>;
}

/** By platform that is built for, platforms of an image that stages are built FROM; absent where there is no such stage. */
export type FromUses = Readonly<Partial<Record<Platform, readonly Platform[]>>>;

/** How a Dockerfile is read. */
export interface ReadOptions extends ImagesBelow {
    /** Path, for messages. */
    readonly path: string;
    /** Name of the stage to build; the last one without. */
    readonly target?: string;
    readonly buildArgs?: Readonly<Record<string, string>>;
    readonly platforms: readonly Platform[];
    /** Whether the builder's own frontend takes the place of docker/dockerfile. */
    readonly builtinFrontend?: boolean;
}

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
