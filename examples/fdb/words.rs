//! What `bridge` and `ip` print, as words, whether it is text or JSON (`-j`).

use std::{slice, str::FromStr};

use serde_json::{Map, Value};

/// What is printed about one thing: a line, or an object of JSON.
#[derive(Debug)]
pub(crate) struct Record {
    /// Number of the line, or of the object, counted from 1.
    pub(crate) number: usize,
    /// Its words as text has them; or why there are none.
    pub(crate) words: Result<Vec<String>, String>,
}

/// Which program's JSON it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// `bridge fdb show`.
    Fdb,
    /// `ip neigh show`.
    Neigh,
}

/// Records of a file; empty lines, and those that begin with `#`, are none.
pub(crate) fn records(text: &str, form: Form) -> Result<Vec<Record>, serde_json::Error> {
    if text.trim_start().starts_with('[') {
        let objects: Vec<Value> = serde_json::from_str(text)?;
        let record = |(number, object): (usize, &Value)| {
            let words = object.as_object().ok_or("not an object".into());
            Record { number, words: words.and_then(|object| of_object(object, form)) }
        };
        return Ok((1..).zip(&objects).map(record).collect());
    }
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let record = |(number, line): (usize, &str)| {
        let words = line.split_whitespace().flat_map(|word| match word.strip_suffix("probes") {
            // `ip -s` puts no space there.
            Some(times) if times.contains('/') => vec![times.to_owned(), "probes".to_owned()],
            _ => vec![word.to_owned()],
        });
        Record { number, words: Ok(words.collect()) }
    };
    Ok(lines.map(record).collect())
}

/// The words that text has for an object; keys that nobody knows become words that nobody knows.
fn of_object(object: &Map<String, Value>, form: Form) -> Result<Vec<String>, String> {
    let (first, times) = match form {
        Form::Fdb => ("mac", ["used", "updated"].as_slice()),
        Form::Neigh => ("dst", ["used", "confirmed", "updated"].as_slice()),
    };
    let mut words = Vec::new();
    if object.contains_key("deleted") {
        words.push("Deleted".to_owned());
    }
    let key = object.get(first).and_then(Value::as_str).ok_or_else(|| format!("no {first}"))?;
    words.push(key.to_owned());
    for (key, value) in object {
        let key = match key.as_str() {
            "ifname" => "dev",
            "viaIf" => "via",
            "viaIfIndex" => "via ifindex",
            "linkNetNsId" => "link-netnsid",
            "refcnt" => "ref",
            "flags" | "state" => "",
            "deleted" => continue,
            key if key == first || times.contains(&key) => continue,
            key => key,
        };
        words.extend(key.split_whitespace().map(str::to_owned));
        match value {
            Value::Null | Value::Bool(true) => {}
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => words.push(text.clone()),
            Value::Number(number) => words.push(number.to_string()),
            Value::Array(values) if values.iter().all(Value::is_string) => {
                words.extend(values.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            _ => return Err(format!("{key}: {value} is not expected")),
        }
    }
    let times: Vec<String> =
        times.iter().filter_map(|&time| object.get(time)).map(Value::to_string).collect();
    if !times.is_empty() {
        words.extend(["used".to_owned(), times.join("/")]);
    }
    Ok(words)
}

/// Words, one after the other.
pub(crate) struct Words<'a>(pub(crate) slice::Iter<'a, String>);

impl<'a> Words<'a> {
    pub(crate) fn next(&mut self) -> Option<&'a str> {
        self.0.next().map(String::as_str)
    }

    /// The next word, if it is one that `is` knows.
    pub(crate) fn next_if(&mut self, is: impl Fn(&str) -> bool) -> Option<&'a str> {
        let next = self.0.as_slice().first().filter(|word| is(word))?;
        self.0.next();
        Some(next)
    }

    /// What follows `word`.
    pub(crate) fn value<T: FromStr<Err: ToString>>(&mut self, word: &str) -> Result<T, String> {
        let text = self.next().ok_or_else(|| format!("nothing follows {word}"))?;
        text.parse().map_err(|error: T::Err| format!("{word} {text}: {}", error.to_string()))
    }

    /// What follows `word`, a number with a bound.
    pub(crate) fn bounded<T: TryFrom<u32, Error: ToString>>(&mut self, word: &str) -> Result<T, String> {
        let number = self.value(word)?;
        T::try_from(number).map_err(|error| format!("{word} {number}: {}", error.to_string()))
    }
}

/// Says something that must not have been said before.
pub(crate) fn once<T>(place: &mut Option<T>, word: &str, value: T) -> Result<(), String> {
    match place.replace(value) {
        Some(_) => Err(format!("{word} twice")),
        None => Ok(()),
    }
}
