import { readFileSync } from "node:fs";
import { type Document, OpenAPIBackend, type Operation, type Request } from "openapi-backend";
import { Refusal } from "./errors";
import type { OperationId } from "./operations";
import { descriptionFile } from "./source";

/** The description's formats that can be checked on text; other formats are not checked. */
const formats = {
    "date-time": /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/,
    timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/,
    email: /^[^@\s]+@[^@\s]+$/,
    // A template is a valid address (`…/contents/{+path}`); relative and empty addresses are not.
    uri: /^[a-z][a-z0-9+.-]*:\S+$/,
    "repo.nwo": true,
} as const;

/** A request's operation and the parameters of its path. */
export interface Matched {
    readonly id: OperationId;
    readonly operation: Operation;
    readonly params: Readonly<Record<string, string>>;
    readonly request: Request;
}

/** GitHub's description of its API, pruned: finds operations and reports the errors of requests and responses. */
export interface Description {
    /** Returns the operation of a request; undefined if the description does not contain it. */
    readonly match: (request: Request) => Matched | undefined;
    /** @throws Refusal with the violations of the description */
    readonly checkRequest: (matched: Matched) => void;
    /** Returns the errors of a response; undefined if it matches the description. */
    readonly answerProblem: (matched: Matched, status: number, body: unknown) => string | undefined;
}

/** Paths whose last parameter may contain slashes: clients send them unencoded, routers need them encoded. */
const tail = /^(\/repos\/[^/]+\/[^/]+\/(?:contents|branches|commits|git\/refs?)\/)(.+)$/;

/** Reads the checked-in description; validators are compiled on first use. */
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
            // GitHub describes only some of the refusals that every operation can return.
            if (!described) return status >= 400 ? undefined : `status ${status.toString()} is not described`;
            if (body === undefined) return "content" in described ? "a body is described" : undefined;
            const { valid, errors } = api.validateResponse(body, operation, status);
            return valid ? undefined : JSON.stringify(errors);
        },
    };
}
