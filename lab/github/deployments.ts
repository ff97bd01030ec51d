import { nodeId, simpleUser } from "./accounts";
import { notFound, Refusal } from "./errors";
import { repositoryUrl } from "./repositories";
import { created, noContent, type RepositoryHandler, type RepositoryRequest } from "./request";
import { nextId } from "./seed";
import { type DeploymentStatus, own, type RecordedDeployment } from "./state";
import { timestamp } from "./time";

/** Sends an event to the workflows of a repository. The stand-in runs none, and keeps the event. */
export const createDispatch: RepositoryHandler = ({ repository, body }) => {
    const { event_type: type, client_payload: payload = {} } = body as {
        event_type: string;
        client_payload?: Readonly<Record<string, unknown>>;
    };
    if (Object.keys(payload).length > 10) throw new Refusal(422, "No more than 10 properties are allowed");
    (repository.dispatches ??= []).push({ type, payload });
    return noContent();
};

/** Schema `deployment`. */
function represent({ state, base, repository }: RepositoryRequest, one: RecordedDeployment) {
    const root = repositoryUrl(base, repository);
    const url = `${root}/deployments/${one.id.toString()}`;
    return {
        ...{ url, id: one.id, node_id: nodeId("Deployment", one.id), sha: one.sha, ref: one.ref, task: one.task },
        ...{ payload: one.payload, original_environment: one.environment, environment: one.environment },
        ...{ description: one.description, creator: simpleUser(state, base, one.user) },
        ...{ created_at: one.createdAt, updated_at: one.createdAt },
        ...{ statuses_url: `${url}/statuses`, repository_url: root },
        ...{ transient_environment: false, production_environment: one.environment === "production" },
    };
}

/** Makes a deployment record for the head of a branch or a commit. */
export const createDeployment: RepositoryHandler = (request) => {
    const { state, repository, token, body } = request;
    const given = body as {
        ref: string;
        task?: string;
        environment?: string;
        description?: string | null;
        payload?: Readonly<Record<string, unknown>> | string;
    };
    const sha = own(repository.branches, given.ref) ?? (own(repository.commits, given.ref) ? given.ref : undefined);
    if (sha === undefined) throw new Refusal(422, `No ref found for: ${given.ref}`);
    const made: RecordedDeployment = {
        ...{ id: nextId(state), sha, ref: given.ref, task: given.task ?? "deploy", payload: given.payload ?? {} },
        ...{ environment: given.environment ?? "production", description: given.description ?? null },
        ...{ user: token.login, createdAt: timestamp(), statuses: [] },
    };
    (repository.deployments ??= []).push(made);
    return created(represent(request, made));
};

/** Adds a status to a deployment record. */
export const createDeploymentStatus: RepositoryHandler = (request) => {
    const { state, base, repository, token, params, body } = request;
    const one = repository.deployments?.find(({ id }) => id.toString() === params.deployment_id);
    if (!one) throw notFound();
    const {
        state: result,
        description = "",
        log_url: log,
    } = body as {
        state: DeploymentStatus["state"];
        description?: string;
        log_url?: string;
    };
    const status: DeploymentStatus = { id: nextId(state), state: result, description, createdAt: timestamp() };
    one.statuses.push(status);
    const root = repositoryUrl(base, repository);
    const url = `${root}/deployments/${one.id.toString()}`;
    return created({
        ...{ url: `${url}/statuses/${status.id.toString()}`, id: status.id, node_id: nodeId("Status", status.id) },
        ...{ state: result, creator: simpleUser(state, base, token.login), description },
        // GitHub sends "" without a log, which its own description does not allow.
        ...{ target_url: log ?? url, ...(log !== undefined && { log_url: log }) },
        ...{ environment: one.environment, created_at: status.createdAt },
        ...{ updated_at: status.createdAt, deployment_url: url, repository_url: root },
    });
};
