// A hardware wallet out of Keystone's own packages: reads our sign requests and answers them.
//
// Called by tests/tests/hardware_wallets.rs and hardware_story.rs: hardware_wallet.mjs, one JSON request on standard input (the texts as a
// camera saw them, and what they must say). Prints the texts of the signature, one a line, or throws. What it shows: a
// decoder that knows nothing of Airlock reads our parts and messages, and we read what it writes.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { DataItem, decodeToDataItem, encodeDataItem } from "@keystonehq/bc-ur-registry";
import { CryptoKeypath, ETHSignature, EthSignRequest } from "@keystonehq/bc-ur-registry-eth";
import { UR, UREncoder, URDecoder } from "@ngraveio/bc-ur";
import { secp256k1 } from "@noble/curves/secp256k1";
import { SigningKey, keccak256 } from "ethers";

const FRAGMENT_BYTES = 30;
const TEXTS_SHOWN = 40;
const UUID_TAG = 37;
const wanted = JSON.parse(readFileSync(0, "utf8"));

function scanned(texts) {
  const decoder = new URDecoder();
  for (const text of texts) {
    decoder.receivePart(text);
    if (decoder.isComplete()) break;
  }
  assert.ok(decoder.isSuccess(), decoder.resultError());
  return decoder.resultUR();
}

function signed(hash) {
  if (wanted.another) {
    // A device with a random nonce: every signature of the same bytes is another one, and just as good.
    const made = secp256k1.sign(hash.slice(2), wanted.private_key.slice(2), { extraEntropy: true });
    return Buffer.concat([made.toCompactRawBytes(), Buffer.from([made.recovery])]);
  }
  const { r, s, yParity } = new SigningKey(wanted.private_key).sign(hash);
  return Buffer.concat([Buffer.from(r.slice(2), "hex"), Buffer.from(s.slice(2), "hex"), Buffer.from([yParity])]);
}

function answerEth(cbor) {
  const request = EthSignRequest.fromCBOR(cbor);
  assert.equal(request.getRequestId().toString("hex"), wanted.request_id);
  assert.equal(request.getSignData().toString("hex"), wanted.sign_data);
  assert.equal(request.getDataType(), 4);
  assert.equal(request.getChainId(), wanted.chain_id);
  assert.equal(`m/${request.getDerivationPath()}`, wanted.path);
  assert.equal(request.getSourceFingerprint().toString("hex"), wanted.fingerprint);
  assert.equal(request.getSignRequestAddress().toString("hex"), wanted.address);
  assert.equal(request.getOrigin(), "airlock");
  assert.deepEqual(Buffer.from(request.toCBOR()), cbor, "their encoder writes the same bytes");
  return new ETHSignature(signed(keccak256(request.getSignData())), request.getRequestId(), "keystone").toUR();
}

// The packages have no class for TRON's messages: their CBOR reader and writer do.
function answerTron(cbor) {
  const map = decodeToDataItem(cbor).getData();
  assert.deepEqual(Object.keys(map), ["1", "2", "3", "4", "6"]);
  assert.equal(map[1].getTag(), UUID_TAG);
  assert.equal(map[1].getData().toString("hex"), wanted.request_id);
  assert.equal(map[2].toString("hex"), wanted.sign_data);
  assert.equal(map[3], 1);
  const path = CryptoKeypath.fromDataItem(map[4]);
  assert.equal(`m/${path.getPath()}`, wanted.path);
  assert.equal(path.getSourceFingerprint().toString("hex"), wanted.fingerprint);
  assert.equal(map[6], "airlock");
  const hash = `0x${createHash("sha256").update(map[2]).digest("hex")}`;
  const reply = new DataItem({ 1: new DataItem(map[1].getData(), UUID_TAG), 2: signed(hash) });
  return new UR(encodeDataItem(reply), "tron-signature");
}

const request = scanned(wanted.texts);
assert.equal(request.type, wanted.type);
const answer = { "eth-sign-request": answerEth, "tron-sign-request": answerTron }[request.type];
const reply = answer(request.cbor);
const encoder = new UREncoder(reply, FRAGMENT_BYTES);
console.log(new UREncoder(reply, 1_000).nextPart());
for (let shown = 0; shown < TEXTS_SHOWN; shown += 1) console.log(encoder.nextPart());
