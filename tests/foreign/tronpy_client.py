"""tronpy against the development chain: build, sign, broadcast and read back a token transfer.

Called by tests/tests/foreign_clients.rs: tronpy_client.py TRON_URL TOKEN. The steering goes over /control/. Prints OK and ends with 0,
or raises. What it shows: a client that knows nothing of Airlock agrees with the chain about bytes, ids, fields and errors.
"""

import sys

import requests
from tronpy import Tron
from tronpy.exceptions import UnknownError
from tronpy.keys import PrivateKey
from tronpy.providers import HTTPProvider

RECIPIENT = "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"


def control(url, route, **body):
    answer = requests.post(f"{url}/control/{route}", json=body, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def main(url, token):
    client = Tron(HTTPProvider(url))
    key = PrivateKey.random()
    sender = key.public_key.to_base58check_address()
    # tronpy's transactions expire a minute after its own clock: few blocks keep the chain's time near it.
    control(url, "finality", depth=2)
    control(url, "fund", address=sender, amount="100000000")
    control(url, "transfer", token=token, to=sender, amount="10000000")
    control(url, "mine", blocks=3)
    assert client.get_account_balance(sender) == 100

    contract = client.get_contract(token)
    assert contract.functions.symbol() == "USDT"
    assert contract.functions.balanceOf(sender) == 10_000_000
    before = contract.functions.balanceOf(RECIPIENT)

    unsigned = (
        contract.functions.transfer(RECIPIENT, 2_500_000)
        .with_owner(sender)
        .fee_limit(30_000_000)
        .build()
    )
    signed = unsigned.sign(key)
    sent = signed.broadcast()
    assert sent.txid == signed.txid
    try:
        signed.broadcast()
    except UnknownError as refused:
        assert refused.args == ("Dup transaction.", "DUP_TRANSACTION_ERROR"), refused
    else:
        raise AssertionError("a duplicate was taken")

    control(url, "mine", blocks=1)
    receipt = client.get_transaction_info(sent.txid)
    assert receipt["receipt"]["result"] == "SUCCESS", receipt
    assert receipt["contractResult"] == ["00" * 32], receipt
    included = client.get_transaction(sent.txid)
    assert included["ret"] == [{"contractRet": "SUCCESS"}], included
    assert contract.functions.balanceOf(RECIPIENT) == before + 2_500_000

    control(url, "mine", blocks=3)
    assert client.get_solid_transaction_info(sent.txid)["id"] == sent.txid

    plain = client.trx.transfer(sender, RECIPIENT, 1_000_000).memo("hello").build().sign(key)
    coin = plain.broadcast()
    control(url, "mine", blocks=1)
    memo = client.get_transaction(coin.txid)["raw_data"]["data"]
    assert bytes.fromhex(memo) == b"hello", memo
    print("OK")


main(sys.argv[1], sys.argv[2])
