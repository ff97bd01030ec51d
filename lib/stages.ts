import { Add, Arg, Copy, Env, From, type Instruction, JSONInstruction, Run } from "dockerfile-ast";
import { z } from "zod";
import { InputError } from "./errors";
import { type Variables, expand } from "./expand";
import type { Platform } from "./images";

/** What a stage takes from outside itself. */
export interface Use {
    readonly instruction: string;
    readonly line: number;
    /** Another stage, by index. */
    readonly stage?: number;
    /** An image, as BuildKit sees the reference. */
    readonly image?: string;
    /** Path or wildcard in the build context. */
    readonly source?: string;
}

/** A stage of a Dockerfile with what it needs. */
export interface Stage {
    readonly name: string | undefined;
    readonly uses: readonly Use[];
}

/** How a Dockerfile is read. */
export interface ReadOptions {
    /** Path, for messages. */
    readonly path: string;
    readonly target?: string;
    readonly buildArgs?: Readonly<Record<string, string>>;
    readonly platforms: readonly Platform[];
}

type Scope = Map<string, string>;

/** Arguments that BuildKit sets itself (Dockerfile reference, "Automatic platform ARGs in the global scope"). */
export function platformArguments(platform: Platform, build: Platform): Scope {
    const parts = (prefix: string, text: Platform): [string, string][] => {
        const [os = "", arch = "", variant = ""] = text.split("/");
        return [
            [`${prefix}PLATFORM`, text],
            [`${prefix}OS`, os],
            [`${prefix}ARCH`, arch],
            [`${prefix}VARIANT`, variant],
        ];
    };
    return new Map([...parts("TARGET", platform), ...parts("BUILD", build)]);
}

/** The words of an instruction after its flags, of its first line only where here-documents follow. */
function words(instruction: JSONInstruction): string[] {
    const content = instruction.getArgumentsContent() ?? "";
    if (instruction.getOpeningBracket()) {
        // The library's own reading of the strings drops their spaces.
        try {
            return z.array(z.string()).parse(JSON.parse(content));
        } catch {
            // BuildKit, too, takes what is not a JSON list of strings for ordinary words.
        }
    }
    const args = instruction.getArguments();
    const heredoc = args.find((arg) => arg.getValue().startsWith("<<"))?.getRange().start.line;
    const own = heredoc === undefined ? args : args.filter((arg) => arg.getRange().start.line <= heredoc);
    return own.map((arg) => arg.getValue()).filter((word) => !word.startsWith("<<"));
}

const isRemote = (source: string): boolean => /^(https?|git|ssh):\/\//.test(source) || source.startsWith("git@");

/** Reads stages one after the other; variables follow BuildKit's scopes. */
export class StageReader {
    readonly stages: Stage[] = [];
    private readonly names: (string | undefined)[] = [];
    private readonly environments: Scope[] = [];
    private uses: Use[] = [];
    /** ENV of the current stage, which stages built on it inherit, and its ARGs, which they don't. */
    private environment: Scope = new Map();
    private args: Scope = new Map();

    constructor(
        private readonly options: ReadOptions,
        private readonly globals: Scope,
        private readonly escape: string,
    ) {}

    read(instruction: Instruction): void {
        if (instruction instanceof From) this.from(instruction);
        else if (instruction instanceof Arg) this.arg(instruction);
        else if (this.stages.length === 0) return;
        else if (instruction instanceof Env) this.env(instruction);
        else if (instruction instanceof Copy || instruction instanceof Add) this.copy(instruction);
        else if (instruction instanceof Run) this.run(instruction);
    }

    private scope(): Variables {
        return new Map([...this.args, ...this.environment]);
    }

    private text(word: string): string {
        return expand(word, this.scope(), this.escape).text;
    }

    private use(instruction: Instruction, what: Pick<Use, "stage" | "image" | "source">): void {
        const line = instruction.getRange().start.line + 1;
        this.uses.push({ instruction: instruction.getKeyword(), line, ...what });
    }

    private from(instruction: From): void {
        const line = instruction.getRange().start.line + 1;
        const written = instruction.getImage();
        const where = `${this.options.path}:${line.toString()}`;
        if (!written) throw new InputError({ problem: "FROM names no image", where, next: "write FROM <image>" });
        const { text: image, unset } = expand(written, this.globals, this.escape);
        if (unset[0] !== undefined) {
            throw new InputError({
                problem: `FROM ${written} uses ${unset[0]}, which has no value`,
                where,
                next: `declare ARG ${unset[0]}=<default> before the first FROM, or set it in buildArgs`,
            });
        }
        const stage = this.names.indexOf(image.toLowerCase());
        this.environment = new Map(this.environments[stage]);
        this.args = new Map();
        this.uses = [];
        if (stage >= 0) this.use(instruction, { stage });
        else if (image !== "scratch") this.use(instruction, { image });
        const name = instruction.getBuildStage()?.toLowerCase();
        this.names.push(name);
        this.environments.push(this.environment);
        this.stages.push({ name, uses: this.uses });
    }

    private arg(instruction: Arg): void {
        const inStage = this.stages.length > 0;
        for (const word of instruction.getArguments().map((argument) => argument.getValue())) {
            const name = word.split("=", 1)[0] ?? "";
            const fallback = word.includes("=") ? word.slice(name.length + 1) : undefined;
            const known = inStage ? this.scope() : this.globals;
            const value =
                this.options.buildArgs?.[name] ??
                (fallback === undefined ? this.globals.get(name) : expand(fallback, known, this.escape).text);
            if (value !== undefined) (inStage ? this.args : this.globals).set(name, value);
        }
    }

    private env(instruction: Env): void {
        // All values of one instruction see the environment before it.
        const before = this.scope();
        for (const property of instruction.getProperties()) {
            const value = property.getUnescapedValue() ?? "";
            this.environment.set(property.getName(), expand(value, before, this.escape).text);
        }
    }

    private copy(instruction: Copy | Add): void {
        const from = instruction
            .getFlags()
            .find((flag) => flag.getName() === "from")
            ?.getValue();
        if (from) {
            this.use(instruction, this.stageOrImage(from));
            return;
        }
        for (const word of words(instruction).slice(0, -1)) {
            const source = this.text(word);
            if (!isRemote(source)) this.use(instruction, { source });
        }
    }

    private run(instruction: JSONInstruction): void {
        for (const flag of instruction.getFlags()) {
            if (flag.getName() !== "mount") continue;
            const fields = (flag.getValue() ?? "").split(",").map((field) => field.split("=", 2));
            const field = (...names: string[]) => {
                const value = fields.find(([name = ""]) => names.includes(name.toLowerCase()))?.[1];
                return value === undefined ? undefined : this.text(value);
            };
            const type = field("type") ?? "bind";
            const from = field("from");
            if (from) this.use(instruction, this.stageOrImage(from));
            else if (type === "bind") this.use(instruction, { source: field("source", "src") ?? "." });
        }
    }

    /** `--from` names a stage by name or index, else an image. */
    private stageOrImage(from: string): Pick<Use, "stage" | "image"> {
        const stage = this.names.indexOf(from.toLowerCase());
        if (stage >= 0) return { stage };
        return /^\d+$/.test(from) && Number(from) < this.stages.length ? { stage: Number(from) } : { image: from };
    }
}
