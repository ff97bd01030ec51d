import sodium from "libsodium-wrappers";
import { type KeyPair, own, type SecretKind, type State } from "./state";

/** Resolves when the functions of this file are ready: the library is WebAssembly. */
export const sealedBoxReady: Promise<void> = sodium.ready;

/** Returns a new pair of Curve25519 keys. */
export function newKeyPair(id: string): KeyPair {
    const { publicKey, privateKey } = sodium.crypto_box_keypair();
    return { id, publicKey: encode(publicKey), privateKey: encode(privateKey) };
}

const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const decode = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

/** Seals a text as GitHub's clients do (libsodium's `crypto_box_seal`); base64. */
export function seal(text: string, key: Pick<KeyPair, "publicKey">): string {
    return encode(sodium.crypto_box_seal(text, decode(key.publicKey)));
}

/** Returns the text in a sealed box; undefined if it was not sealed for this key. */
export function open(sealed: string, key: KeyPair): string | undefined {
    try {
        const bytes = sodium.crypto_box_seal_open(decode(sealed), decode(key.publicKey), decode(key.privateKey));
        return Buffer.from(bytes).toString("utf8");
    } catch {
        return undefined;
    }
}

/**
 * Returns the value of a secret, for tests that check the sent values. Wait for `sealedBoxReady` first.
 *
 * @param repository `owner/name`
 * @returns undefined if the secret does not exist
 */
export function revealSecret(state: State, repository: string, kind: SecretKind, name: string): string | undefined {
    const found = own(state.repositories, repository);
    const secret = found && own(found.secrets[kind], name.toUpperCase());
    return found && secret && open(secret.sealed, found.keys[kind]);
}

/** Like `revealSecret`, for a secret of an environment. */
export function revealEnvironmentSecret(
    state: State,
    repository: string,
    environment: string,
    name: string,
): string | undefined {
    const found = own(own(state.repositories, repository)?.environments ?? {}, environment.toLowerCase());
    const secret = found && own(found.secrets, name.toUpperCase());
    return found && secret && open(secret.sealed, found.key);
}
