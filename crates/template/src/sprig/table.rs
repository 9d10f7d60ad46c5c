//! Every function in one table: name, Go's parameter types, body. Aliases are rows of their own.

use crate::func::Param::{self, Any, Bool, Float64, Int, List, Map, Object, String as Text, Uint32};
use crate::func::{FuncDef, FuncResult, Host};
use crate::value::Value;

use super::{
    crypto, dates, defaults, dicts, encoding, json, lists, math, paths, random, reflect, regex, semver,
    strings, url, words,
};

type Body = fn(&mut dyn Host, &[Value]) -> FuncResult;

const TIME: Param = Object("time.Time");
const CERTIFICATE: Param = Object("sprig.certificate");

/// A function with a fixed number of parameters.
const fn fixed(name: &'static str, params: &'static [Param], body: Body) -> FuncDef {
    FuncDef {
        name,
        params,
        variadic: None,
        body,
    }
}

/// A function that takes any number of further arguments of one type.
const fn open(name: &'static str, params: &'static [Param], further: Param, body: Body) -> FuncDef {
    FuncDef {
        name,
        params,
        variadic: Some(further),
        body,
    }
}

#[rustfmt::skip]
pub(super) static FUNCTIONS: &[FuncDef] = &[
    fixed("hello", &[], strings::hello),

    // Dates
    fixed("ago", &[Any], dates::ago),
    fixed("date", &[Text, Any], dates::date),
    fixed("date_in_zone", &[Text, Any, Text], dates::date_in_zone),
    fixed("dateInZone", &[Text, Any, Text], dates::date_in_zone),
    fixed("date_modify", &[Text, TIME], dates::date_modify),
    fixed("dateModify", &[Text, TIME], dates::date_modify),
    fixed("must_date_modify", &[Text, TIME], dates::must_date_modify),
    fixed("mustDateModify", &[Text, TIME], dates::must_date_modify),
    fixed("duration", &[Any], dates::duration),
    fixed("durationRound", &[Any], dates::duration_round),
    fixed("htmlDate", &[Any], dates::html_date),
    fixed("htmlDateInZone", &[Any, Text], dates::html_date_in_zone),
    fixed("now", &[], dates::now),
    fixed("toDate", &[Text, Text], dates::to_date),
    fixed("mustToDate", &[Text, Text], dates::must_to_date),
    fixed("unixEpoch", &[TIME], dates::unix_epoch),

    // Strings
    fixed("abbrev", &[Int, Text], strings::abbrev),
    fixed("abbrevboth", &[Int, Int, Text], strings::abbrevboth),
    fixed("trunc", &[Int, Text], strings::trunc),
    fixed("trim", &[Text], strings::trim),
    fixed("trimall", &[Text, Text], strings::trim_all),
    fixed("trimAll", &[Text, Text], strings::trim_all),
    fixed("trimSuffix", &[Text, Text], strings::trim_suffix),
    fixed("trimPrefix", &[Text, Text], strings::trim_prefix),
    fixed("upper", &[Text], strings::upper),
    fixed("lower", &[Text], strings::lower),
    fixed("title", &[Text], strings::title),
    fixed("untitle", &[Text], strings::untitle),
    fixed("substr", &[Int, Int, Text], strings::substr),
    fixed("repeat", &[Int, Text], strings::repeat),
    fixed("nospace", &[Text], strings::nospace),
    fixed("initials", &[Text], strings::initials),
    fixed("swapcase", &[Text], strings::swapcase),
    fixed("shuffle", &[Text], strings::shuffle),
    fixed("snakecase", &[Text], words::snakecase),
    fixed("camelcase", &[Text], words::camelcase),
    fixed("kebabcase", &[Text], words::kebabcase),
    fixed("wrap", &[Int, Text], strings::wrap),
    fixed("wrapWith", &[Int, Text, Text], strings::wrap_with),
    fixed("contains", &[Text, Text], strings::contains),
    fixed("hasPrefix", &[Text, Text], strings::has_prefix),
    fixed("hasSuffix", &[Text, Text], strings::has_suffix),
    open("quote", &[], Any, strings::quote),
    open("squote", &[], Any, strings::squote),
    open("cat", &[], Any, strings::cat),
    fixed("indent", &[Int, Text], strings::indent),
    fixed("nindent", &[Int, Text], strings::nindent),
    fixed("replace", &[Text, Text, Text], strings::replace),
    fixed("plural", &[Text, Text, Int], strings::plural),
    fixed("toString", &[Any], strings::to_string),
    fixed("toStrings", &[Any], strings::to_strings),
    fixed("split", &[Text, Text], strings::split),
    fixed("splitList", &[Text, Text], strings::split_list),
    fixed("splitn", &[Text, Int, Text], strings::splitn),
    fixed("join", &[Text, Any], strings::join),
    fixed("sortAlpha", &[Any], strings::sort_alpha),
    fixed("fail", &[Text], strings::fail_with),

    // Numbers
    fixed("atoi", &[Text], math::atoi),
    fixed("int", &[Any], math::to_int),
    fixed("int64", &[Any], math::int64),
    fixed("float64", &[Any], math::float64),
    fixed("toDecimal", &[Any], math::to_decimal),
    open("seq", &[], Int, math::seq),
    fixed("until", &[Int], math::until),
    fixed("untilStep", &[Int, Int, Int], math::until_step),
    fixed("add1", &[Any], math::add1),
    open("add", &[], Any, math::add),
    fixed("sub", &[Any, Any], math::sub),
    fixed("div", &[Any, Any], math::div),
    fixed("mod", &[Any, Any], math::modulo),
    open("mul", &[Any], Any, math::mul),
    fixed("add1f", &[Any], math::add1f),
    open("addf", &[], Any, math::addf),
    open("subf", &[Any], Any, math::subf),
    open("divf", &[Any], Any, math::divf),
    open("mulf", &[Any], Any, math::mulf),
    open("biggest", &[Any], Any, math::max),
    open("max", &[Any], Any, math::max),
    open("min", &[Any], Any, math::min),
    open("maxf", &[Any], Any, math::maxf),
    open("minf", &[Any], Any, math::minf),
    fixed("ceil", &[Any], math::ceil),
    fixed("floor", &[Any], math::floor),
    open("round", &[Any, Int], Float64, math::round),
    fixed("randInt", &[Int, Int], math::rand_int),

    // Defaults
    open("default", &[Any], Any, defaults::default),
    fixed("empty", &[Any], defaults::empty),
    open("coalesce", &[], Any, defaults::coalesce),
    open("all", &[], Any, defaults::all),
    open("any", &[], Any, defaults::any_of),
    fixed("ternary", &[Any, Any, Bool], defaults::ternary),

    // JSON
    fixed("fromJson", &[Text], json::from_json),
    fixed("mustFromJson", &[Text], json::must_from_json),
    fixed("toJson", &[Any], json::to_json),
    fixed("mustToJson", &[Any], json::must_to_json),
    fixed("toPrettyJson", &[Any], json::to_pretty_json),
    fixed("mustToPrettyJson", &[Any], json::must_to_pretty_json),
    fixed("toRawJson", &[Any], json::to_raw_json),
    fixed("mustToRawJson", &[Any], json::to_raw_json),

    // Reflection
    fixed("typeOf", &[Any], reflect::type_name),
    fixed("typeIs", &[Text, Any], reflect::type_is),
    fixed("typeIsLike", &[Text, Any], reflect::type_is_like),
    fixed("kindOf", &[Any], reflect::kind_of),
    fixed("kindIs", &[Text, Any], reflect::kind_is),
    fixed("deepEqual", &[Any, Any], reflect::deep_equal),

    // The world outside
    fixed("env", &[Text], strings::env),
    fixed("expandenv", &[Text], strings::expandenv),
    fixed("getHostByName", &[Text], strings::get_host_by_name),

    // Paths
    fixed("base", &[Text], paths::base),
    fixed("dir", &[Text], paths::dir),
    fixed("clean", &[Text], paths::clean),
    fixed("ext", &[Text], paths::ext),
    fixed("isAbs", &[Text], paths::is_abs),
    fixed("osBase", &[Text], paths::base),
    fixed("osDir", &[Text], paths::dir),
    fixed("osClean", &[Text], paths::clean),
    fixed("osExt", &[Text], paths::ext),
    fixed("osIsAbs", &[Text], paths::is_abs),

    // Encoding
    fixed("b64enc", &[Text], encoding::b64enc),
    fixed("b64dec", &[Text], encoding::b64dec),
    fixed("b32enc", &[Text], encoding::b32enc),
    fixed("b32dec", &[Text], encoding::b32dec),

    // Dictionaries
    open("dict", &[], Any, dicts::dict),
    fixed("get", &[Map, Text], dicts::get),
    fixed("set", &[Map, Text, Any], dicts::set),
    fixed("unset", &[Map, Text], dicts::unset),
    fixed("hasKey", &[Map, Text], dicts::has_key),
    open("pluck", &[Text], Map, dicts::pluck),
    open("keys", &[], Map, dicts::keys),
    open("pick", &[Map], Text, dicts::pick),
    open("omit", &[Map], Text, dicts::omit),
    open("merge", &[Map], Map, dicts::merge),
    open("mustMerge", &[Map], Map, dicts::must_merge),
    open("mergeOverwrite", &[Map], Map, dicts::merge_overwrite),
    open("mustMergeOverwrite", &[Map], Map, dicts::must_merge_overwrite),
    fixed("values", &[Map], dicts::values),
    fixed("deepCopy", &[Any], dicts::deep_copy),
    fixed("mustDeepCopy", &[Any], dicts::deep_copy),
    open("dig", &[], Any, dicts::dig),

    // Lists
    open("tuple", &[], Any, lists::list),
    open("list", &[], Any, lists::list),
    fixed("append", &[Any, Any], lists::append),
    fixed("push", &[Any, Any], lists::append),
    fixed("mustAppend", &[Any, Any], lists::append),
    fixed("mustPush", &[Any, Any], lists::append),
    fixed("prepend", &[Any, Any], lists::prepend),
    fixed("mustPrepend", &[Any, Any], lists::prepend),
    fixed("first", &[Any], lists::first),
    fixed("mustFirst", &[Any], lists::first),
    fixed("rest", &[Any], lists::tail),
    fixed("mustRest", &[Any], lists::tail),
    fixed("last", &[Any], lists::last),
    fixed("mustLast", &[Any], lists::last),
    fixed("initial", &[Any], lists::initial),
    fixed("mustInitial", &[Any], lists::initial),
    fixed("reverse", &[Any], lists::reverse),
    fixed("mustReverse", &[Any], lists::reverse),
    fixed("uniq", &[Any], lists::uniq),
    fixed("mustUniq", &[Any], lists::uniq),
    open("without", &[Any], Any, lists::without),
    open("mustWithout", &[Any], Any, lists::without),
    fixed("has", &[Any, Any], lists::has),
    fixed("mustHas", &[Any, Any], lists::has),
    fixed("compact", &[Any], lists::compact),
    fixed("mustCompact", &[Any], lists::compact),
    open("slice", &[Any], Any, lists::slice),
    open("mustSlice", &[Any], Any, lists::slice),
    open("concat", &[], Any, lists::concat),
    fixed("chunk", &[Int, Any], lists::chunk),
    fixed("mustChunk", &[Int, Any], lists::chunk),

    // Crypto
    fixed("sha1sum", &[Text], crypto::sha1sum),
    fixed("sha256sum", &[Text], crypto::sha256sum),
    fixed("sha512sum", &[Text], crypto::sha512sum),
    fixed("adler32sum", &[Text], crypto::adler32sum),
    fixed("bcrypt", &[Text], crypto::bcrypt),
    fixed("htpasswd", &[Text, Text], crypto::htpasswd),
    fixed("derivePassword", &[Uint32, Text, Text, Text, Text], crypto::derive_password),
    fixed("genPrivateKey", &[Text], crypto::gen_private_key),
    fixed("buildCustomCert", &[Text, Text], crypto::build_custom_cert),
    fixed("genCA", &[Text, Int], crypto::gen_ca),
    fixed("genCAWithKey", &[Text, Int, Text], crypto::gen_ca_with_key),
    fixed("genSelfSignedCert", &[Text, List, List, Int], crypto::gen_self_signed_cert),
    fixed("genSelfSignedCertWithKey", &[Text, List, List, Int, Text], crypto::gen_self_signed_cert_with_key),
    fixed("genSignedCert", &[Text, List, List, Int, CERTIFICATE], crypto::gen_signed_cert),
    fixed("genSignedCertWithKey", &[Text, List, List, Int, CERTIFICATE, Text], crypto::gen_signed_cert_with_key),
    fixed("encryptAES", &[Text, Text], crypto::encrypt_aes),
    fixed("decryptAES", &[Text, Text], crypto::decrypt_aes),

    // Random
    fixed("randAlphaNum", &[Int], random::alpha_num),
    fixed("randAlpha", &[Int], random::alpha),
    fixed("randAscii", &[Int], random::ascii),
    fixed("randNumeric", &[Int], random::numeric),
    fixed("randBytes", &[Int], random::bytes),
    fixed("uuidv4", &[], random::uuidv4),

    // Versions
    fixed("semver", &[Text], semver::semver),
    fixed("semverCompare", &[Text, Text], semver::semver_compare),

    // Regular expressions
    fixed("regexMatch", &[Text, Text], regex::is_match),
    fixed("mustRegexMatch", &[Text, Text], regex::must_match),
    fixed("regexFindAll", &[Text, Text, Int], regex::find_all),
    fixed("mustRegexFindAll", &[Text, Text, Int], regex::must_find_all),
    fixed("regexFind", &[Text, Text], regex::find),
    fixed("mustRegexFind", &[Text, Text], regex::must_find),
    fixed("regexReplaceAll", &[Text, Text, Text], regex::replace_all),
    fixed("mustRegexReplaceAll", &[Text, Text, Text], regex::must_replace_all),
    fixed("regexReplaceAllLiteral", &[Text, Text, Text], regex::replace_all_literal),
    fixed("mustRegexReplaceAllLiteral", &[Text, Text, Text], regex::must_replace_all_literal),
    fixed("regexSplit", &[Text, Text, Int], regex::split),
    fixed("mustRegexSplit", &[Text, Text, Int], regex::must_split),
    fixed("regexQuoteMeta", &[Text], regex::quote_meta),

    // URLs
    fixed("urlParse", &[Text], url::url_parse),
    fixed("urlJoin", &[Map], url::url_join),
];
