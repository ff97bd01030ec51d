import type { EngineLog, EngineStep } from "../engine/log";
import {
    type DeploymentInputs,
    componentTypes,
    deploymentPlace,
    isInside,
    nameOf,
    readDeployment,
    remoteCommandType,
    textIn,
} from "../engine/resources";
import { deploymentLine } from "../hierarchy/deployments";

/** What an update did with a deployment of the stack. */
export interface DeploymentOutcome {
    /** Its name in the stack's configuration. */
    readonly deployment: string;
    /** Key of its image. */
    readonly image: string;
    /** "deploy@bot.example.org" */
    readonly host: string;
    readonly urn: string;
    /** `not reached`: the release of its image was not promoted, or the update ended before. */
    readonly outcome: "deployed" | "failed" | "not reached" | "removed" | "unchanged";
    /** What the host said last of it, without its name: which release runs. Absent if the host said nothing. */
    readonly said?: string;
    /** What its commands wrote, line by line; of a failed deployment the engine's messages have it. */
    readonly output: readonly string[];
}

/** Returns what the host said last about a deployment. */
function lastSaid(name: string, lines: readonly string[]): string | undefined {
    const start = deploymentLine(name);
    const line = lines.findLast((text) => text.trimStart().startsWith(start));
    return line?.trimStart().slice(start.length).trimEnd();
}

const outcomeOf = ({ operation, result }: EngineStep): DeploymentOutcome["outcome"] => {
    if (operation === "delete") return "removed";
    if (operation === "same") return "unchanged";
    return result === "succeeded" ? "deployed" : "failed";
};

/** Returns what an update did with each deployment, by name. */
export function deploymentOutcomes(log: EngineLog): DeploymentOutcome[] {
    const steps = log.steps.filter(({ operation }) => operation !== "refresh" && operation !== "read");
    const commands = new Map(
        steps
            .filter(({ type, urn }) => type === remoteCommandType && isInside(urn, componentTypes.deployment))
            .map((step) => [nameOf(step.urn), step]),
    );
    const components = steps.filter(({ type }) => type === componentTypes.deployment);
    const found = components.flatMap(({ urn, after, before, operation }): DeploymentOutcome[] => {
        const settings: DeploymentInputs | undefined = readDeployment((after ?? before)?.inputs);
        const deployment = nameOf(urn);
        const command = commands.get(deployment);
        if (!settings || (!command && operation === "delete")) return [];
        const [stdout, stderr] = [command?.after?.outputs.stdout, command?.after?.outputs.stderr].map(
            (text) => textIn(text)?.split("\n") ?? [],
        );
        const messages = log.messages.get(command?.urn ?? "")?.map(({ line }) => line) ?? [];
        const outcome = command ? outcomeOf(command) : "not reached";
        const said = lastSaid(deployment, outcome === "failed" ? messages : (stderr ?? []));
        return [
            {
                deployment,
                image: settings.image,
                host: deploymentPlace(settings),
                urn: command?.urn ?? urn,
                outcome,
                ...(said !== undefined && { said }),
                output: outcome === "failed" ? messages : (stdout ?? []),
            },
        ];
    });
    return found.sort((a, b) => a.deployment.localeCompare(b.deployment, "en"));
}

/** Returns what remains to do about the deployments after a failed update, one line per deployment. */
export const deploymentsLeft = (log: EngineLog): string[] =>
    deploymentOutcomes(log).flatMap(({ deployment, image, host, outcome, said }) => {
        const title = `deployment ${deployment} (image ${image}, ${host})`;
        if (outcome === "not reached") return [`${title}: not reached; the next \`up\` deploys what is promoted then`];
        if (outcome !== "failed") return [];
        const why = said ?? "failed, and the host did not say what it runs";
        return [`${title}: ${why}; the next \`up\` tries again`];
    });
