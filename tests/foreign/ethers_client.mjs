// ethers against the development chain: build, sign, broadcast and read back a token transfer.
//
// Called by tests/tests/foreign_clients.rs: ethers_client.mjs EVM_URL TOKEN. The steering goes over /control/. Prints OK and ends
// with 0, or throws. What it shows: a client that knows nothing of Airlock agrees with the chain about bytes, hashes, fields and errors.

import assert from "node:assert/strict";
import { Contract, JsonRpcProvider, Transaction, Wallet, parseEther } from "ethers";

const RECIPIENT = "0x00000000000000000000000000000000000000aa";
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

const provider = new JsonRpcProvider(url, undefined, { staticNetwork: true, cacheTimeout: -1 });
const wallet = new Wallet(Wallet.createRandom().privateKey, provider);
await control("fund", { address: wallet.address, amount: parseEther("1").toString() });
await control("transfer", { token, to: wallet.address, amount: "10000000" });
await control("mine", { blocks: 1 });

const abi = [
  "function transfer(address to, uint256 value)",
  "function balanceOf(address who) view returns (uint256)",
  "function symbol() view returns (string)",
  "event Transfer(address indexed from, address indexed to, uint256 value)",
];
const contract = new Contract(token, abi, wallet);
assert.equal(await contract.symbol(), "USDT");
const before = await contract.balanceOf(RECIPIENT);

const sent = await contract.transfer(RECIPIENT, 2_500_000n);
assert.equal(sent.type, 2);
await assert.rejects(provider.broadcastTransaction(Transaction.from(sent).serialized), /already known/);
assert.equal(await provider.getTransactionReceipt(sent.hash), null);
await control("mine", { blocks: 1 });

const receipt = await provider.getTransactionReceipt(sent.hash);
assert.equal(receipt.status, 1);
assert.equal(contract.interface.parseLog(receipt.logs[0]).args.value, 2_500_000n);
assert.equal(await contract.balanceOf(RECIPIENT), before + 2_500_000n);
const block = await provider.getBlock(receipt.blockHash, true);
assert.equal(block.prefetchedTransactions[0].hash, sent.hash);
// ethers computes the hash from the fields itself.
assert.equal(Transaction.from(block.prefetchedTransactions[0]).hash, sent.hash);
const found = await contract.queryFilter(contract.filters.Transfer(wallet.address), receipt.blockNumber, receipt.blockNumber);
assert.equal(found.length, 1);
assert.equal(found[0].transactionHash, sent.hash);

await control("mine", { blocks: 30 });
const last = await provider.getBlock("finalized");
assert.ok(last.number >= receipt.blockNumber);
await assert.rejects(
  wallet.sendTransaction({ to: RECIPIENT, value: 1n, nonce: 0 }), { code: "NONCE_EXPIRED" });
await assert.rejects(
  wallet.sendTransaction({ to: RECIPIENT, value: parseEther("5"), gasLimit: 21_000n }), { code: "INSUFFICIENT_FUNDS" });
provider.destroy();
console.log("OK");
