import { readInstance } from "../system/instance";
import { stackLocks } from "../engine/locks";
import { type Finding, exitCode } from "./findings";
import { imageFindings, unansweredFindings } from "./images";
import { imageQuestions, imageStatus } from "./imageStatus";
import { repairAll, repairCommand } from "./repair";
import type { StatusReport } from "./report";
import { compareRoots, rootQuestions, rootsOf } from "./roots";
import { stackFindings } from "./stack";
import { deployedImages } from "../engine/state";
import { askBlobs, askRegistries } from "./ask";
import { type Engine, backendUrl, exportStack } from "../engine/pulumi";
import { readHistory } from "../update/historyFile";
import { githubFindings } from "./githubFindings";

/** The roots that the lab gives to its stack, by name. */
function labRoots({ isLab, env }: Engine): Readonly<Record<string, string>> {
    const file = env.LAYERED_IMAGES_INSTANCE;
    return isLab && file !== undefined ? (readInstance(file)?.roots ?? {}) : {};
}

/** Compares a stack with its registries and GitHub. Changes nothing, the state included. Errors as `exportStack`. */
export async function readStatus(engine: Engine): Promise<StatusReport> {
    const { stack, env } = engine;
    const [deployment, history, backend] = await Promise.all([
        exportStack(engine),
        readHistory(stack, env),
        backendUrl(env),
    ]);
    const locks = stackLocks(backend, stack);
    const images = deployedImages(deployment);
    const roots = rootsOf(images);
    const [answers, onGitHub] = await Promise.all([
        askRegistries([...imageQuestions(images), ...rootQuestions(roots)], env).then((found) => askBlobs(found, env)),
        githubFindings(deployment.resources, env),
    ]);
    const compared = compareRoots(roots, answers, engine, labRoots(engine));
    const nothing: Finding = {
        kind: "note",
        about: `stack ${stack}`,
        text: "nothing was published yet",
        repair: { by: "up" },
    };
    const findings = [
        ...stackFindings(deployment, locks, engine),
        ...(images.length === 0 ? [nothing] : []),
        ...images.flatMap((image) => imageFindings(image, images, answers)),
        ...compared.findings,
        ...onGitHub,
        ...unansweredFindings(answers),
    ];
    const verdict = ({ 0: "in step", 1: "unknown", 2: "drift" } as const)[exitCode(findings)];
    return {
        stack,
        verdict,
        images: images.map((image) => imageStatus(image, images, answers, history)),
        roots: compared.roots,
        findings: findings.map(({ repair, ...finding }) => ({
            ...finding,
            ...(repair && { command: repairCommand(engine, repair) }),
        })),
        repairs: repairAll(engine, findings),
    };
}
