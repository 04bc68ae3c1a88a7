// tronweb against the development chain: build, sign, broadcast and read back a token transfer.
//
// Called by tests/tests/foreign_clients.rs: tronweb_client.mjs TRON_URL TOKEN. The steering goes over /control/. Prints OK and ends
// with 0, or throws. What it shows: a client that knows nothing of Airlock agrees with the chain about bytes, ids, fields and errors.

import assert from "node:assert/strict";
import { TronWeb } from "tronweb";

const RECIPIENT = "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8";
const [url, token] = process.argv.slice(2);

async function control(route, body) {
  const answer = await fetch(`${url}/control/${route}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

const account = await TronWeb.createAccount();
const sender = account.address.base58;
const tronWeb = new TronWeb({ fullHost: url, privateKey: account.privateKey });
await control("fund", { address: sender, amount: "100000000" });
await control("transfer", { token, to: sender, amount: "10000000" });
await control("mine", { blocks: 20 });
assert.equal(await tronWeb.trx.getBalance(sender), 100_000_000);

const contract = await tronWeb.contract().at(token);
assert.equal(await contract.symbol().call(), "USDT");
assert.equal(await contract.balanceOf(sender).call(), 10_000_000n);
const before = await contract.balanceOf(RECIPIENT).call();

const parameters = [
  { type: "address", value: RECIPIENT },
  { type: "uint256", value: 2_500_000 },
];
const built = await tronWeb.transactionBuilder.triggerSmartContract(
  token, "transfer(address,uint256)", { feeLimit: 30_000_000 }, parameters, sender);
assert.equal(built.result.result, true);
const signed = await tronWeb.trx.sign(built.transaction);
const sent = await tronWeb.trx.sendRawTransaction(signed);
assert.equal(sent.result, true, JSON.stringify(sent));
assert.equal(sent.txid, built.transaction.txID);
const again = await tronWeb.trx.sendRawTransaction(signed);
assert.equal(again.code, "DUP_TRANSACTION_ERROR");
assert.equal(tronWeb.toUtf8(again.message), "Dup transaction.");

await control("mine", { blocks: 1 });
const receipt = await tronWeb.trx.getUnconfirmedTransactionInfo(sent.txid);
assert.equal(receipt.receipt.result, "SUCCESS");
assert.deepEqual(receipt.contractResult, ["00".repeat(32)]);
assert.equal(await contract.balanceOf(RECIPIENT).call(), before + 2_500_000n);
assert.deepEqual(await tronWeb.trx.getTransactionInfo(sent.txid), {});
await control("mine", { blocks: 20 });
assert.equal((await tronWeb.trx.getTransactionInfo(sent.txid)).id, sent.txid);

// The whole transaction in its own bytes, through the route that takes hex.
const payment = await tronWeb.transactionBuilder.sendTrx(RECIPIENT, 1_000_000, sender);
const whole = await tronWeb.trx.sign(payment);
const pb = tronWeb.utils.transaction.txJsonToPb(whole);
pb.addSignature(Uint8Array.from(Buffer.from(whole.signature[0].replace(/^0x/, ""), "hex")));
const coin = await tronWeb.trx.sendHexTransaction(Buffer.from(pb.serializeBinary()).toString("hex"));
assert.equal(coin.result, true, JSON.stringify(coin));
assert.equal(coin.code, "SUCCESS");
assert.equal(coin.txid, payment.txID);
console.log("OK");
