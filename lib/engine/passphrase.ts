import { createDecipheriv, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";

/* The check that Pulumi itself makes of a passphrase (sdk/go/common/resource/config/crypt.go and secrets/passphrase): a stack's file
   holds, with the salt, a known word that was encrypted with the passphrase. Pulumi makes it only where a value is decrypted, halfway. */

const derive = promisify(pbkdf2);
const iterations = 1_000_000;
const tagBytes = 16;

/**
 * Whether a passphrase is that of a stack.
 *
 * @param salt `encryptionsalt` of the stack's file
 * @returns undefined for a salt of another form
 */
export async function isPassphrase(salt: string, passphrase: string): Promise<boolean | undefined> {
    const [, bytes, nonce, sealed] = /^v1:([^:]+):v1:([^:]+):([^:]+)$/.exec(salt) ?? [];
    if (bytes === undefined || nonce === undefined || sealed === undefined) return undefined;
    const key = await derive(passphrase, Buffer.from(bytes, "base64"), iterations, 32, "sha256");
    const data = Buffer.from(sealed, "base64");
    if (data.length < tagBytes) return undefined;
    const cipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"));
    cipher.setAuthTag(data.subarray(-tagBytes));
    cipher.update(data.subarray(0, -tagBytes));
    try {
        cipher.final();
        return true;
    } catch {
        return false;
    }
}
