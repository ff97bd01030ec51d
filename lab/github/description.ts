import { readFileSync } from "node:fs";
import { type Document, OpenAPIBackend, type Operation, type Request } from "openapi-backend";
import { Refusal } from "./errors";
import type { OperationId } from "./operations";
import { descriptionFile } from "./source";

/** Formats that the description names, as far as they can be told from text; others are not checked. */
const formats = {
    "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
    timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/,
    email: /^[^@\s]+@[^@\s]+$/,
    // A template counts as an address (`…/contents/{+path}`); relative and empty ones don't.
    uri: /^[a-z][a-z0-9+.-]*:\S+$/,
    "repo.nwo": true,
} as const;

/** A request's operation and its path's parameters. */
export interface Matched {
    readonly id: OperationId;
    readonly operation: Operation;
    readonly params: Readonly<Record<string, string>>;
    readonly request: Request;
}

/** GitHub's own description of its API, pruned: finds operations and says what is wrong with requests and answers. */
export interface Description {
    /** The operation that a request means; undefined for one outside the description. */
    readonly match: (request: Request) => Matched | undefined;
    /** @throws Refusal with what the description does not allow */
    readonly checkRequest: (matched: Matched) => void;
    /** What is wrong with an answer; undefined when it is as described. */
    readonly answerProblem: (matched: Matched, status: number, body: unknown) => string | undefined;
}

/** Paths whose last parameter may hold slashes: clients send them raw, routers need them encoded. */
const tail = /^(\/repos\/[^/]+\/[^/]+\/(?:contents|branches|commits|git\/refs?)\/)(.+)$/;

/** Reads the checked-in description; validators are compiled when they are first needed. */
export async function readDescription(): Promise<Description> {
    const definition = JSON.parse(readFileSync(descriptionFile, "utf8")) as Document;
    const api = new OpenAPIBackend({
        definition,
        quick: true,
        ajvOpts: { formats, logger: false, allErrors: true },
    });
    await api.init();
    return {
        match: (request) => {
            const [, head = "", rest = ""] = tail.exec(request.path) ?? [];
            const encoded = head === "" ? request.path : head + rest.replaceAll("/", "%2F");
            const routed = { ...request, path: encoded };
            const operation = api.matchOperation(routed);
            if (!operation?.operationId) return undefined;
            const params = api.router.parseRequest(routed, operation).params as Record<string, unknown>;
            const texts = Object.entries(params).map(([name, value]) => [name, String(value)]);
            const decoded = Object.fromEntries(texts) as Record<string, string>;
            return { id: operation.operationId as OperationId, operation, params: decoded, request: routed };
        },
        checkRequest: ({ request, operation }) => {
            const { valid, errors } = api.validateRequest(request, operation);
            if (valid) return;
            const problems = (errors ?? []).map(({ instancePath, message }) =>
                `${instancePath} ${message ?? ""}`.trim(),
            );
            throw new Refusal(422, `Invalid request.\n\n${problems.join("\n")}`);
        },
        answerProblem: ({ operation }, status, body) => {
            const described = operation.responses?.[status.toString()];
            // GitHub describes few of the refusals that every operation can meet.
            if (!described) return status >= 400 ? undefined : `status ${status.toString()} is not described`;
            if (body === undefined) return "content" in described ? "a body is described" : undefined;
            const { valid, errors } = api.validateResponse(body, operation, status);
            return valid ? undefined : JSON.stringify(errors);
        },
    };
}
