import { type Step, isUnknown, sameWhereKnown, withoutParts } from "../engine/preview";
import {
    type DeploymentInputs,
    componentTypes,
    deploymentPlace,
    readDeployment,
    remoteCommandType,
} from "../engine/resources";
import { type Cause, deploymentCauses } from "./causes";
import { changes, isGone } from "./groups";

/** The plan of a deployment that an update would change. */
export interface DeploymentPlan {
    /** Its name in the stack's configuration. */
    readonly deployment: string;
    /** Key of its image. */
    readonly image: string;
    /** "deploy@bot.example.org" */
    readonly host: string;
    /** `maybe`: only if the image's digest changes. `remove`: it leaves the stack; what runs on the host stays. */
    readonly action: "deploy" | "maybe" | "remove";
    readonly causes: readonly Cause[];
}

/** Whether a step is the resource that deploys: it has the name of its component. */
export const isDeployment = ({ type }: Step): boolean => type === remoteCommandType;

/**
 * Returns what an update would do with the deployment of a component; undefined if nothing.
 *
 * @param moved images whose promoted digest certainly changes
 * @param open images whose promoted digest may change although the engine does not know it
 */
function planDeployment(
    component: Step,
    command: Step,
    moved: ReadonlySet<string>,
    open: ReadonlySet<string>,
): Pick<DeploymentPlan, "action" | "causes"> | undefined {
    const [before, after] = [component.old, component.new].map((state) => readDeployment(state?.inputs));
    const image = (after ?? before)?.image ?? "";
    if (isGone(command)) return { action: "remove", causes: [{ kind: "deployment removed" }] };
    const decides = { kind: "release decides", image } as const;
    if (!changes(command)) return open.has(image) ? { action: "maybe", causes: [decides] } : undefined;
    if (!before || !after) return { action: "deploy", causes: [{ kind: "first deployment" }] };
    const settings = deploymentCauses(before, after);
    const script = [command.old, command.new].map((state) => state?.inputs.stdin);
    const isOpen = isUnknown(script[1]);
    const isDone = command.op !== "create";
    const causes: Cause[] = [
        ...settings,
        ...(isOpen && moved.has(image) ? [{ kind: "release moves", image } as const] : []),
        // Nothing but the connection differs, and of that the host is known: it is the key.
        ...(isDone &&
        settings.length === 0 &&
        sameWhereKnown(script[0], script[1]) &&
        command.reasons.includes("connection")
            ? [{ kind: "deployment key changed" } as const]
            : []),
    ];
    if (causes.length > 0) return { action: "deploy", causes };
    // The component has the settings of the last update, the command those of its last success.
    if (!isOpen || !isDone) return { action: "deploy", causes: [{ kind: "not deployed yet" }] };
    return { action: "maybe", causes: [decides] };
}

/**
 * Returns the deployments that an update would change, by name. Parameters are those of `planDeployment`.
 */
export function planDeployments(
    steps: readonly Step[],
    moved: ReadonlySet<string>,
    open: ReadonlySet<string>,
): DeploymentPlan[] {
    const whole = withoutParts(steps);
    const commands = new Map(whole.filter(isDeployment).map((step) => [step.name, step]));
    const plans = whole
        .filter(({ type }) => type === componentTypes.deployment)
        .flatMap((component): DeploymentPlan[] => {
            const command = commands.get(component.name);
            const settings: DeploymentInputs | undefined = readDeployment((component.new ?? component.old)?.inputs);
            const plan = command && planDeployment(component, command, moved, open);
            if (!settings || !plan) return [];
            return [{ deployment: component.name, image: settings.image, host: deploymentPlace(settings), ...plan }];
        });
    return plans.sort((a, b) => (a.deployment < b.deployment ? -1 : 1));
}
