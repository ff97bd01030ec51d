import sodium from "libsodium-wrappers";
import { type KeyPair, own, type SecretKind, type State } from "./state";

/** Resolves when the functions here may be used: the library is WebAssembly. */
export const sealedBoxReady: Promise<void> = sodium.ready;

/** A new pair of Curve25519 keys. */
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

/** The text in a sealed box; undefined when it was not sealed for this key. */
export function open(sealed: string, key: KeyPair): string | undefined {
    try {
        const bytes = sodium.crypto_box_seal_open(decode(sealed), decode(key.publicKey), decode(key.privateKey));
        return Buffer.from(bytes).toString("utf8");
    } catch {
        return undefined;
    }
}

/**
 * What a secret was set to: for tests that check what was sent. Wait for `sealedBoxReady` first.
 *
 * @param repository `owner/name`
 * @returns undefined where there is no such secret
 */
export function revealSecret(state: State, repository: string, kind: SecretKind, name: string): string | undefined {
    const found = own(state.repositories, repository);
    const secret = found && own(found.secrets[kind], name.toUpperCase());
    return found && secret && open(secret.sealed, found.keys[kind]);
}
