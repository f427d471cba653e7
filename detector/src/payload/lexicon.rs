//! Words that attacks are written with, and common ones that tell prose, addresses and code from them.

/// Bytes of the longest word that is looked up.
const WORD_BYTES_MAX: usize = 32;

/// The place of a word in a sorted list of lower-case words; its case does not matter.
pub(super) fn position(words: &[&str], word: &[u8]) -> Option<usize> {
    let mut lower = [0_u8; WORD_BYTES_MAX];
    let lower = lower.get_mut(..word.len())?;
    for (place, byte) in lower.iter_mut().zip(word) {
        *place = byte.to_ascii_lowercase();
    }
    words.binary_search_by(|known| known.as_bytes().cmp(lower)).ok()
}

/// Whether a sorted list of lower-case words has this one.
pub(super) fn contains(words: &[&str], word: &str) -> bool {
    position(words, word.as_bytes()).is_some()
}

/// Words that are tokens of their own, sorted. The network is trained with their positions.
#[rustfmt::skip]
pub(super) static KEYWORDS: [&str; 709] = [
    "169_254", "_cookie", "_get", "_memberaccess", "_post", "_request", "_self", "_server", "a", "about", "access",
    "access_control", "action", "actuator", "acunetix", "admin", "alert", "all", "all_tables",
    "allowstaticmethodaccess", "alter", "an", "analyse", "and", "animate", "any", "apache", "apache2", "applet",
    "application", "arachni", "are", "as", "asc", "ascii", "assert", "at", "atob", "attlist", "attr", "attributename",
    "audio", "authorized_keys", "autofocus", "awk", "aws", "b", "backup", "bak", "base", "base64", "base64_decode",
    "bash", "bash_history", "bcc", "be", "begin", "benchmark", "between", "bigint", "bin", "binary", "bitsadmin",
    "body", "boot", "br", "btoa", "burp", "burpcollaborator", "but", "button", "by", "call_user_func", "can",
    "canarytokens", "case", "cast", "cat", "cc", "cdata", "certutil", "cgi", "char", "child_process", "chmod", "chown",
    "chr", "chunked", "class", "classloader", "cmd", "cn", "collaborator", "collate", "column", "column_name",
    "columns", "com", "commit", "commix", "computemetadata", "concat", "concat_ws", "conf", "config", "confirm",
    "console", "const", "constructor", "content", "content_length", "content_type", "context", "convert", "cookie",
    "copy", "count", "cp", "create", "create_function", "credentials", "cross", "css", "ctxsys", "curl", "current_user",
    "cycler", "dalfox", "data", "database", "db", "dbms_lock", "dbms_pipe", "dc", "decimal", "declare", "delay",
    "delete", "desc", "details", "dev", "dict", "die", "dig", "dir", "dirbuster", "distinct", "div", "dns", "doctype",
    "document", "domain", "drithsx", "drivers", "drop", "ds_store", "dual", "dumpfile", "echo", "element", "else",
    "elt", "em", "embed", "encoding", "end", "entity", "env", "envelope", "environ", "eq", "equiv", "erb", "error",
    "etc", "eval", "exe", "exec", "execsync", "execute", "exists", "exit", "expect", "expr", "expression",
    "extractvalue", "false", "feroxbuster", "fetch", "ffuf", "file", "file_get_contents", "file_put_contents", "filter",
    "find", "floor", "fopen", "for", "form", "formaction", "forname", "freemarker", "from", "fromcharcode", "ftp",
    "function", "g", "generate_series", "get_flashed_messages", "getclass", "getenv", "getfilter", "getresponse",
    "getruntime", "getwriter", "gif", "git", "givenname", "glob", "global", "globals", "gobuster", "google", "gopher",
    "grant", "graphql", "grep", "group", "group_concat", "gt", "gte", "gz", "gzinflate", "h1", "h2", "have", "havij",
    "having", "he", "head", "heapdump", "hello", "her", "hex", "hg", "highlight_file", "his", "home", "host",
    "hostname", "hosts", "how", "href", "htaccess", "html", "htpasswd", "http", "httpd", "https", "hydra", "i", "iam",
    "id", "id_rsa", "if", "ifconfig", "iframe", "ifs", "ignore", "iif", "iiop", "img", "import", "in", "include",
    "include_once", "inetpub", "inf", "information_schema", "ini", "ini_set", "initialcontext", "inner", "innerhtml",
    "input", "insert", "instance", "int", "integer", "interact", "internal", "into", "io", "ip", "ipconfig", "is",
    "isindex", "it", "java", "javascript", "javax", "jenkins", "jmx", "jndi", "join", "joiner", "jorgee", "jpeg", "jpg",
    "js", "json", "json_extract", "json_keys", "kernel", "keygen", "kill", "known_hosts", "ksh", "lang", "latest",
    "ldap", "ldaps", "left", "len", "length", "less", "let", "li", "like", "limit", "link", "lipsum", "load",
    "load_file", "local", "localhost", "location", "log", "login", "logs", "lower", "ls", "lt", "lte", "mail",
    "mainmodule", "make_set", "manager", "map", "mapreduce", "marquee", "masscan", "master", "math", "md5", "me",
    "member", "memberaccess", "meta", "metadata", "mid", "mime", "mod", "module", "more", "move_uploaded_file", "mshta",
    "msysobjects", "mv", "my", "namespace", "naming", "nc", "ncat", "nchar", "ne", "nessus", "net", "netcat",
    "netsparker", "netstat", "new", "nginx", "ngrok", "nikto", "nin", "nip", "nmap", "no", "node", "noscript", "not",
    "nslookup", "nuclei", "null", "numeric", "nvarchar", "oast", "oastify", "object", "objectcategory", "objectclass",
    "objectid", "objectspace", "of", "offset", "ognl", "old", "on", "onanimationstart", "onbegin", "onblur", "onchange",
    "onclick", "oncut", "ondrag", "onerror", "onfocus", "oninput", "onkeydown", "onkeyup", "onload", "onmouseenter",
    "onmouseover", "onpageshow", "onpaste", "onpointerenter", "onpointerover", "onresize", "onscroll", "onstart",
    "onsubmit", "ontoggle", "onwheel", "opendatasource", "openrowset", "opensymphony", "openvas", "opt", "or", "order",
    "org", "os", "ou", "our", "out", "outfile", "p", "pangolin", "parent", "parse", "passthru", "passwd", "pcdata",
    "pcntl_exec", "pdf", "perl", "pg_catalog", "pg_class", "pg_sleep", "pg_tables", "pg_user", "phar", "php", "phpinfo",
    "phpmyadmin", "ping", "pipeline", "plaintext", "please", "png", "popen", "powershell", "preg_replace", "print",
    "print_r", "printenv", "printf", "proc", "proc_open", "procedure", "process", "processbuilder", "prompt",
    "prototype", "ps", "public", "putenv", "pwd", "python", "python3", "qualys", "rand", "randomblob", "range", "rdb",
    "readfile", "receive_message", "reduce", "ref", "refresh", "reg", "regex", "regexp",
    "registerundefinedfiltercallback", "replace", "request", "requestbin", "require", "require_once", "resource",
    "resources", "return", "right", "rlike", "rm", "rmi", "rollback", "root", "ruby", "rubygems", "rundll32", "runtime",
    "said", "samaccountname", "schema", "schtasks", "script", "scriptenginemanager", "security", "sed", "select",
    "self", "server", "servletactioncontext", "session_user", "set", "set_cookie", "setinterval", "settimeout", "sh",
    "sha1", "sha2", "shadow", "she", "shell_exec", "show_source", "shutdown", "signed", "sleep", "smarty", "sn", "so",
    "soap", "solr", "sort", "source", "sp_executesql", "span", "spawn", "springframework", "sql", "sqlite_master",
    "sqlite_version", "sqlmap", "src", "srcdoc", "ssh", "standalone", "start", "status", "str_rot13", "string",
    "string_agg", "strong", "struts2", "style", "stylesheet", "su", "subject", "subprocess", "substr", "substring",
    "sudo", "svg", "svn", "swagger", "syscolumns", "sysibm", "sysobjects", "systables", "system", "system32",
    "system_user", "systeminfo", "sysusers", "table", "table_name", "tables", "tail", "tar", "tasklist", "tcp", "td",
    "tee", "telnet", "template", "text", "textarea", "tftp", "thanks", "that", "the", "their", "then", "they", "this",
    "timeout", "title", "tmp", "to", "top", "tr", "transfer", "true", "truncate", "twig", "type", "u", "uid", "ul",
    "uname", "unhex", "union", "unsigned", "up", "update", "updatexml", "upper", "url", "url_for", "us", "user",
    "user_tables", "userpassword", "usr", "utility", "utl_http", "utl_inaddr", "utm_campaign", "utm_medium",
    "utm_source", "v1", "values", "var", "var_dump", "varchar", "vbscript", "velocity", "version", "video", "w3af",
    "waitfor", "was", "we", "web", "webp", "wfuzz", "wget", "what", "whatweb", "when", "where", "which", "whoami",
    "will", "win", "window", "windows", "winnt", "with", "wmic", "wp", "wpscan", "wrapper", "www", "wwwroot", "xargs",
    "xi", "xinclude", "xip", "xlink", "xml", "xmlhttprequest", "xmlns", "xmltype", "xmp", "xor", "xp_cmdshell", "xsl",
    "xsstrike", "xwork", "yes", "you", "your", "zap", "zgrab", "zip", "zsh",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_and_found_in_any_case() {
        assert!(KEYWORDS.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(contains(&KEYWORDS, "SeLeCt"));
        assert!(!contains(&KEYWORDS, "selects"));
        assert!(!contains(&KEYWORDS, &"x".repeat(100)));
    }
}
