import { invalid, notFound, Refusal } from "./errors";
import { created, noContent, ok, paginate, type RepositoryHandler, type RepositoryRequest } from "./request";
import { open } from "./sealedBox";
import { type KeyPair, own, type Secret, type SecretKind } from "./state";
import { laterThan, timestamp } from "./time";

/** Maximum size of a secret's or a variable's value on GitHub, in bytes. */
export const maxValueBytes = 48 * 1024;

/**
 * Refuses names that GitHub refuses; names are stored in upper case.
 *
 * @param what `Secret` or `Variable`, for the message
 */
export function checkedName(what: string, name: string): string {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
        throw new Refusal(
            422,
            `${what} names can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores (_). ` +
                "Spaces are not allowed. Must start with a letter ([a-z], [A-Z]) or underscores (_).",
        );
    }
    if (/^GITHUB_/i.test(name)) throw new Refusal(422, `${what} names must not start with GITHUB_.`);
    return name.toUpperCase();
}

const represent = (name: string, { createdAt, updatedAt }: Secret) => ({
    name,
    created_at: createdAt,
    updated_at: updatedAt,
});

/** Secrets with the key for which their values are sealed. */
interface SecretStore {
    readonly key: KeyPair;
    readonly secrets: Record<string, Secret>;
}

/** Operations on secrets: the public key, and listing, getting, setting and removing secrets. */
type SecretHandlers = Record<"key" | "list" | "get" | "put" | "remove", RepositoryHandler>;

/** Returns the operations on one kind of a repository's secrets. */
export const secretHandlers = (kind: SecretKind): SecretHandlers =>
    handlersOn(({ repository }) => ({ key: repository.keys[kind], secrets: repository.secrets[kind] }));

/** Returns the names of the secrets that the repository's owner shares with it. */
export const listOrganizationSecrets: RepositoryHandler = (request) => {
    const { organization, createdAt: created } = request.repository;
    const all = (organization?.secrets ?? []).map((name) => ({ name, created_at: created, updated_at: created }));
    const { page, headers } = paginate(request, all);
    return { ...ok({ total_count: all.length, secrets: page }), headers };
};

/** Returns the operations on secrets. */
export function handlersOn(storeOf: (request: RepositoryRequest) => SecretStore): SecretHandlers {
    return {
        key: (request) => {
            const { id, publicKey } = storeOf(request).key;
            return ok({ key_id: id, key: publicKey });
        },
        list: (request) => {
            const all = Object.entries(storeOf(request).secrets).map(([name, one]) => represent(name, one));
            const { page, headers } = paginate(request, all);
            return { ...ok({ total_count: all.length, secrets: page }), headers };
        },
        get: (request) => {
            const { params } = request;
            const name = (params.secret_name ?? "").toUpperCase();
            const secret = own(storeOf(request).secrets, name);
            if (!secret) throw notFound();
            return ok(represent(name, secret));
        },
        put: (request) => {
            const { params, body } = request;
            const { key, secrets } = storeOf(request);
            const name = checkedName("Secret", params.secret_name ?? "");
            const { encrypted_value: sealed, key_id: keyId } = body as { encrypted_value?: string; key_id?: string };
            if (sealed === undefined)
                throw invalid({ resource: "Secret", field: "encrypted_value", code: "missing_field" });
            if (keyId !== key.id) throw new Refusal(422, "key_id does not match the repository's public key");
            const value = open(sealed, key);
            if (value === undefined) throw new Refusal(422, "improperly encrypted secret");
            if (Buffer.byteLength(value) > maxValueBytes) throw new Refusal(422, "Secret value exceeds 48 KB");
            const before = own(secrets, name);
            const updatedAt = before ? laterThan(before.updatedAt) : timestamp();
            secrets[name] = { sealed, createdAt: before?.createdAt ?? updatedAt, updatedAt };
            return before ? noContent() : created({});
        },
        remove: (request) => {
            const { secrets } = storeOf(request);
            const name = (request.params.secret_name ?? "").toUpperCase();
            if (!own(secrets, name)) throw notFound();
            Reflect.deleteProperty(secrets, name);
            return noContent();
        },
    };
}
