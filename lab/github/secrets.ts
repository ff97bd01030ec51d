import { invalid, notFound, Refusal } from "./errors";
import { created, noContent, ok, type RepositoryHandler } from "./request";
import { open } from "./sealedBox";
import { own, type Secret, type SecretKind } from "./state";
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

/** Returns the four operations on one kind of secret. */
export function secretHandlers(kind: SecretKind): Record<"key" | "get" | "put" | "remove", RepositoryHandler> {
    return {
        key: ({ repository }) => {
            const { id, publicKey } = repository.keys[kind];
            return ok({ key_id: id, key: publicKey });
        },
        get: ({ repository, params }) => {
            const name = (params.secret_name ?? "").toUpperCase();
            const secret = own(repository.secrets[kind], name);
            if (!secret) throw notFound();
            return ok(represent(name, secret));
        },
        put: ({ repository, params, body }) => {
            const name = checkedName("Secret", params.secret_name ?? "");
            const { encrypted_value: sealed, key_id: keyId } = body as { encrypted_value?: string; key_id?: string };
            const key = repository.keys[kind];
            if (sealed === undefined)
                throw invalid({ resource: "Secret", field: "encrypted_value", code: "missing_field" });
            if (keyId !== key.id) throw new Refusal(422, "key_id does not match the repository's public key");
            const value = open(sealed, key);
            if (value === undefined) throw new Refusal(422, "improperly encrypted secret");
            if (Buffer.byteLength(value) > maxValueBytes) throw new Refusal(422, "Secret value exceeds 48 KB");
            const before = own(repository.secrets[kind], name);
            const updatedAt = before ? laterThan(before.updatedAt) : timestamp();
            repository.secrets[kind][name] = { sealed, createdAt: before?.createdAt ?? updatedAt, updatedAt };
            return before ? noContent() : created({});
        },
        remove: ({ repository, params }) => {
            const name = (params.secret_name ?? "").toUpperCase();
            if (!own(repository.secrets[kind], name)) throw notFound();
            Reflect.deleteProperty(repository.secrets[kind], name);
            return noContent();
        },
    };
}
