//! What is told of wrong settings, and that the documented file and the program name the same keys.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

const NETWORK: &str = r#"
    [[network]]
    id = "tron:0xa1710c4b"
    providers = ["http://user:secret@127.0.0.1:1/", "http://127.0.0.1:2"]
    [network.native]
    asset = "TRX"
    decimals = 6
    [[network.token]]
    asset = "USDT"
    contract = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"
    decimals = 6
    [network.token.withdrawal]
    fee = "1"
    amount_min = "2"
    amount_max = "1000"
"#;

#[test]
fn the_documented_default_is_valid_and_lists_no_network() {
    let config = Config::from_toml("").unwrap();
    assert!(config.networks.is_empty());
    assert!(config.server.listen.ip().is_loopback());
}

#[test]
fn a_network_is_read_into_types() {
    let config = Config::from_toml(NETWORK).unwrap();
    let network = &config.networks[0];
    let usdt = network.token(&"USDT".parse().unwrap()).unwrap();
    assert_eq!(usdt.withdrawal.unwrap().fee.get(), 1_000_000);
    assert_eq!(network.finality, Finality::Solidified);
}

#[test]
fn an_unknown_key_is_refused_by_name() {
    let error = Config::from_toml("[server]\nlisten_adress = \"x\"").unwrap_err().to_string();
    assert!(error.contains("listen_adress"), "{error}");
}

#[test]
fn a_bad_value_is_refused_with_key_value_and_expectation() {
    let error = Config::from_toml(&NETWORK.replace("jLj6t", "jLj6u")).unwrap_err().to_string();
    assert!(error.contains("network[0].token[0].contract") && error.contains("jLj6u"), "{error}");
}

#[test]
fn a_main_network_is_refused_in_the_dev_profile() {
    let main = NETWORK.replace("tron:0xa1710c4b", "tron:0x2b6653dc");
    let error = Config::from_toml(&main).unwrap_err();
    assert_eq!((error.mistakes.len(), error.mistakes[0].key.as_str()), (1, "network[0].id"));
}

#[test]
fn a_depth_is_no_finality_for_real_money_and_none_is_none_anywhere() {
    let evm = |profile: &str, id: &str, finality: &str| {
        Config::from_toml(&format!(
            "profile = \"{profile}\"\n[[network]]\nid = \"{id}\"\nproviders = [\"http://127.0.0.1:1\"]\n\
             finality = {finality}\n[network.native]\nasset = \"ETH\"\ndecimals = 18\n"
        ))
    };
    assert!(evm("dev", "eip155:31337", "12").is_ok());
    assert!(evm("main", "eip155:1", "\"finalized\"").is_ok());
    for (profile, id, depth) in [("dev", "eip155:31337", "0"), ("main", "eip155:1", "200")] {
        let error = evm(profile, id, depth).unwrap_err().to_string();
        assert!(error.contains("network[0].finality") && error.contains("finalized"), "{error}");
    }
}

#[test]
fn credentials_in_urls_are_never_shown() {
    let config = Config::from_toml(NETWORK).unwrap();
    let shown = format!("{config:?}");
    assert!(!shown.contains("secret"), "{shown}");
}

fn told(text: &str) -> Vec<String> {
    let error = Config::from_toml(text).unwrap_err();
    error.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn a_wrong_type_is_refused_with_key_value_and_expectation() {
    for (text, line) in [
        ("[server]\nlisten = 8380", "settings: server.listen: found 8380, expected an address and port"),
        (
            "[server]\nlisten = \"localhost\"",
            "settings: server.listen: found \"localhost\", expected an address and port",
        ),
        (
            "[database]\nreaders_max = \"many\"",
            "settings: database.readers_max: found \"many\", expected a whole number",
        ),
        ("[database]\nreaders_max = -1", "settings: database.readers_max: found -1, expected a whole number"),
        ("[database]\nreaders_max = 0", "settings: database.readers_max: found 0, expected 1 to 1000"),
        (
            "[database]\nmigrate = \"yes\"",
            "settings: database.migrate: found \"yes\", expected true or false",
        ),
        ("server = 5", "settings: server: found 5, expected a table"),
        ("asset = 5", "settings: asset: found 5, expected [[asset]] tables"),
        ("[metrics]\nallow = \"all\"", "settings: metrics.allow: found \"all\", expected a list"),
        (
            "[metrics]\nallow = [\"all\"]",
            "settings: metrics.allow[0]: found \"all\", expected an address or a network",
        ),
        ("[[network]]\nproviders = []\n", "settings: network[0].id: found nothing, expected a value"),
        ("profile = \"prod\"", "settings: profile: found \"prod\", expected main, test or dev"),
        ("[log]\nformat = \"xml\"", "settings: log.format: found \"xml\", expected auto, text or json"),
        ("[log]\nfilter = \"a=b=c\"", "settings: log.filter: found \"a=b=c\""),
        (
            "[server]\nheader_limit_bytes = 1",
            "settings: server.header_limit_bytes: found 1, expected 8192 to",
        ),
        ("[server.tls]\nkey_file = \"k.pem\"", "settings: server.tls.certificate_file: found \"\""),
        ("[limits]\nkey_burst = 0", "settings: limits.key_burst: found 0, expected 1 to"),
    ] {
        let told = told(text);
        assert!(told.len() == 1 && told[0].starts_with(line), "{text}: {told:?}");
    }
}

#[test]
fn several_mistakes_are_told_together() {
    let told = told(
        "profile = \"prod\"\n[server]\nlisten = 1\ncolour = \"red\"\n[log]\nformat = \"xml\"\n[database]\nreaders_max = \"x\"\n\
         wait_s = 100000\n[[asset]]\ncode = \"usdt\"\ndecimals = \"six\"\n[[network]]\nid = \"nile\"\n[network.native]\nasset = \"TRX\"\ndecimals = 6",
    );
    let keys: Vec<&str> =
        told.iter().map(|line| line.strip_prefix("settings: ").unwrap().split(':').next().unwrap()).collect();
    for key in [
        "profile",
        "server.listen",
        "server.colour",
        "log.format",
        "database.readers_max",
        "database.wait_s",
        "asset[0].code",
        "network[0].id",
    ] {
        assert!(keys.contains(&key), "{key} is missing in {told:#?}");
    }
}

#[test]
fn a_mistake_in_the_environment_or_a_file_says_where_it_is() {
    let error = Config::from_toml("[server]\nlisten = 1").unwrap_err();
    assert_eq!(error.mistakes[0].place.as_deref(), Some("the file"));
    let flags =
        Merged::read(None, false, "[server]\nlisten = \"x\"").unwrap_or_else(|error| panic!("{error}"));
    let error = Config::check(flags).unwrap_err();
    assert_eq!(error.mistakes[0].place.as_deref(), Some("the flags"));
}

#[test]
fn text_that_is_no_toml_is_refused_by_its_line_and_never_quoted() {
    let told = told("profile = \"dev\"\n[database]\nurl = \"postgres://airlock:hunter2@db/airlock\n");
    assert!(told.len() == 1 && told[0].contains("line 3") && !told[0].contains("hunter2"), "{told:?}");
}

#[test]
fn a_bad_value_that_may_hold_a_credential_is_never_repeated() {
    for text in [
        "[database]\nurl = \"mysql://airlock:hunter2@db/airlock\"".to_owned(),
        "[database]\nurl = [\"postgres://airlock:hunter2@db/airlock\"]".to_owned(),
        NETWORK.replace("http://user:secret@127.0.0.1:1/", "ftp://user:hunter2@127.0.0.1"),
        NETWORK.replace("\"http://user:secret@127.0.0.1:1/\", \"http://127.0.0.1:2\"", "1, \"hunter2\""),
        NETWORK.replace(
            "[\"http://user:secret@127.0.0.1:1/\", \"http://127.0.0.1:2\"]",
            "\"https://hunter2@x\"",
        ),
    ] {
        let told = told(&text).join(" ");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_database_url_may_come_from_a_file_but_not_from_two_places() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("url");
    std::fs::write(&file, "postgres://airlock:hunter2@db/airlock\n").unwrap();
    let config = Config::from_toml(&format!("[database]\nurl_file = {file:?}")).unwrap();
    assert_eq!(config.database_url.reveal(), "postgres://airlock:hunter2@db/airlock");
    assert!(!format!("{config:?}").contains("hunter2"));
    let both = told(&format!("[database]\nurl = \"sqlite:x.db\"\nurl_file = {file:?}"));
    assert!(both[0].contains("database.url_file") && both[0].contains("not both"), "{both:?}");
    let none = told("[database]\nurl_file = \"/nowhere/at-all\"");
    assert!(none[0].contains("database.url_file") && none[0].contains("/nowhere/at-all"), "{none:?}");
}

#[test]
fn providers_may_come_from_a_file_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("providers");
    std::fs::write(&file, "https://one.example/KEY\n\nhttps://two.example\n").unwrap();
    let list = "providers = [\"http://user:secret@127.0.0.1:1/\", \"http://127.0.0.1:2\"]";
    let config = Config::from_toml(&NETWORK.replace(list, &format!("providers_file = {file:?}"))).unwrap();
    assert_eq!(config.networks[0].providers[0].reveal(), "https://one.example/KEY");
    let both = told(&NETWORK.replace(list, &format!("{list}\nproviders_file = {file:?}")));
    assert!(both[0].contains("network[0].providers_file"), "{both:?}");
}

#[test]
fn the_settings_in_force_are_shown_with_credentials_masked() {
    let text =
        format!("{NETWORK}\n[database]\nurl = \"postgres://airlock:hunter2@db/airlock?password=hunter2\"");
    let shown = Merged::read(Some((&text, "the file")), false, "").unwrap().shown().unwrap();
    assert!(!shown.contains("hunter2") && !shown.contains("secret"), "{shown}");
    assert!(shown.contains("postgres://db/***") && shown.contains("http://127.0.0.1:1/***"), "{shown}");
    assert!(shown.contains("listen = \"127.0.0.1:8380\""), "{shown}");
}

#[test]
fn plain_http_beyond_this_machine_is_refused_where_real_money_is() {
    let open = "profile = \"main\"\n[server]\nlisten = \"0.0.0.0:8380\"\n";
    let refused = told(open);
    assert!(refused.len() == 1 && refused[0].contains("server.listen"), "{refused:?}");
    assert!(Config::from_toml(&open.replace("main", "test")).is_ok());
    assert!(Config::from_toml(&format!("{open}trusted_proxies = [\"10.0.0.1\"]")).is_ok());
    assert!(
        Config::from_toml(&format!("{open}[server.tls]\ncertificate_file = \"c.pem\"\nkey_file = \"k.pem\""))
            .is_ok()
    );
}

/// The example with its block of a network in force, comments taken away.
fn whole_example() -> toml::Table {
    let (plain, block) = EXAMPLE.split_once("# [[network]]").unwrap();
    let block: String = block.lines().map(|line| format!("{}\n", line.trim_start_matches("# "))).collect();
    // Both families' fee settings stand there; one table holds them all here.
    let block = block.replacen("[network.fees]                         # EVM", "", 1);
    toml::from_str(&format!("{plain}\n[[network]]{block}")).unwrap()
}

/// Every key of the table and of the tables below it that the program does not know, and every one that it knows and the
/// example does not show. The program is asked by a key that cannot exist: its refusal lists those that can.
fn differences(path: &mut Vec<String>, table: &toml::Table, whole: &toml::Table, found: &mut Vec<String>) {
    let mut probe = whole.clone();
    let spot = path.iter().fold(&mut probe, |table, part| match table.get_mut(part).unwrap() {
        toml::Value::Table(table) => table,
        toml::Value::Array(entries) => entries[0].as_table_mut().unwrap(),
        other => panic!("{other}"),
    });
    spot.insert("zzz".to_owned(), toml::Value::Integer(1));
    let error = Config::from_toml(&toml::to_string(&probe).unwrap()).unwrap_err();
    let refusal = error.mistakes.iter().find(|mistake| mistake.key.ends_with("zzz"));
    let listed = refusal.unwrap_or_else(|| panic!("{path:?}: {error}")).expected.clone();
    let known: Vec<&str> = listed.strip_prefix("one of: ").unwrap().split(", ").collect();
    let here = path.join(".");
    let is_array = |name: &str| path.is_empty() && ["asset", "network"].contains(&name);
    for key in table.keys().filter(|key| !known.contains(&key.as_str()) && !is_array(key)) {
        found.push(format!("in the example, not read: {here}.{key}"));
    }
    // The native coin is spelled as a token without a contract.
    let left_out = [("network.native", "contract"), ("network.token", "withdrawal")];
    let absent = |key: &&&str| !table.contains_key(**key) && !left_out.contains(&(here.as_str(), **key));
    for key in known.iter().filter(absent) {
        found.push(format!("read, not in the example: {here}.{key}"));
    }
    for (key, value) in table {
        let below = match value {
            toml::Value::Table(table) => Some(table),
            toml::Value::Array(entries) => entries.first().and_then(toml::Value::as_table),
            _ => None,
        };
        if let Some(below) = below {
            path.push(key.clone());
            differences(path, below, whole, found);
            path.pop();
        }
    }
}

#[test]
fn every_key_of_the_example_is_read_and_every_key_that_is_read_is_in_the_example() {
    let (whole, mut found) = (whole_example(), Vec::new());
    differences(&mut Vec::new(), &whole, &whole, &mut found);
    assert_eq!(found, Vec::<String>::new());
}
