import * as github from "@pulumi/github";
import * as pulumi from "@pulumi/pulumi";
import type { RepositorySecret } from "../config";
import { type RepositorySettingsInputs, type SecretReader, componentTypes } from "../lib/engine/resources";
import { InputError } from "../lib/errors";
import { checkVariable } from "../lib/github/names";
import type { Kind } from "../lib/github/permissions";
import { allMade, forDependents } from "./failures";
import { type MakeWay, refusalHook } from "./hooks";

/** The secrets and variables that a repository's workflows need. */
export interface RepositorySettingsArgs {
    /** Name of the repository; its owner is the GitHub provider's. */
    readonly repository: string;
    /** Secrets by name. */
    readonly secrets: Readonly<Record<string, RepositorySecret>>;
    /** Variables by name. */
    readonly variables: Readonly<Record<string, pulumi.Output<string>>>;
    /** Whether `up` sends an event for each image that moved. Default: false. */
    readonly dispatch?: boolean;
    /** Whether `up` makes deployment records. Default: false. */
    readonly deployments?: boolean;
    /** Removes a variable that already exists in the repository and is about to be created. */
    readonly removeVariable: (variable: string) => Promise<void>;
}

/**
 * Secrets and variables of a repository on GitHub. Those that the program no longer contains are removed from GitHub.
 */
export class RepositorySettings extends pulumi.ComponentResource {
    /** Known once every value is set. */
    public readonly set: pulumi.Output<unknown>;

    public constructor(name: string, args: RepositorySettingsArgs, opts?: pulumi.ComponentResourceOptions) {
        const { repository, secrets, variables } = args;
        const readers = ({ dependabot, codespaces, environment }: RepositorySecret): SecretReader[] => [
            environment === undefined ? "actions" : `environment ${environment}`,
            ...(dependabot ? (["dependabot"] as const) : []),
            ...(codespaces ? (["codespaces"] as const) : []),
        ];
        const announcements = (["dispatch", "deployments"] as const).filter((kind) => args[kind]);
        const inputs: RepositorySettingsInputs = {
            repository,
            secrets: Object.fromEntries(Object.entries(secrets).map(([key, secret]) => [key, readers(secret)])),
            variables: Object.keys(variables),
            ...(announcements.length > 0 && { announcements }),
        };
        super(componentTypes.repositorySettings, name, inputs, opts);
        // A name is unique: if the new object were created first, deleting the old object would delete the new one.
        const options = (kind: Kind, makeWay?: MakeWay) => ({
            parent: this,
            deleteBeforeReplace: true,
            hooks: refusalHook(name, kind, { ...(makeWay && { makeWay }) }),
        });
        const [forActions, forEnvironments, forDependabot, forCodespaces, forVariables] = [
            options("a secret"),
            options("a secret of an environment"),
            options("a secret for Dependabot"),
            options("a secret for codespaces"),
            // This program owns these names: the promoted value replaces any existing value.
            options("a variable", ({ variableName }) => args.removeVariable(String(variableName))),
        ];
        const values: pulumi.CustomResource[] = [];
        for (const [secretName, { value, dependabot, codespaces, environment }] of Object.entries(secrets)) {
            const [given, key] = [{ repository, secretName }, `${name}-${secretName}`];
            if (environment === undefined) {
                values.push(new github.ActionsSecret(key, { ...given, value }, forActions));
            } else {
                // The environment is part of the name, so that a secret that moves is created there before it is deleted here.
                const secret = { ...given, environment, value };
                values.push(new github.ActionsEnvironmentSecret(`${key}@${environment}`, secret, forEnvironments));
            }
            if (dependabot) {
                values.push(new github.DependabotSecret(`${key}-dependabot`, { ...given, value }, forDependabot));
            }
            if (codespaces) {
                // The provider does not offer `value` for this resource yet.
                const secret = { ...given, plaintextValue: value };
                values.push(new github.CodespacesSecret(`${key}-codespaces`, secret, forCodespaces));
            }
        }
        for (const [variableName, value] of Object.entries(variables)) {
            const checked = value.apply((text) => check(variableName, text));
            const given = { repository, variableName, value: forDependents(checked, "not promoted") };
            values.push(new github.ActionsVariable(`${name}-${variableName}`, given, forVariables));
        }
        this.set = allMade(values);
        this.registerOutputs({});
    }
}

/** Calls `checkVariable` for a value that is known only while the program runs; errors have no stack trace. */
function check(name: string, value: string): string {
    try {
        return checkVariable(name, value);
    } catch (error) {
        throw error instanceof InputError ? new pulumi.RunError(error.message) : error;
    }
}
