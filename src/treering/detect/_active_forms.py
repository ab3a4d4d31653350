"""Forms of text that runs where it is shown, rendered or passed on, and the marks by which few answers are read.

Kinds follow what reads the answer: a browser, a database, a shell, a template engine, another parser (OWASP LLM10).
"""

from __future__ import annotations

import re

from treering.detect._lines import Words

_BYTE_GAP = rb"(?:\s|\xc2\xa0|\xe2\x80[\x80-\x8a]|\xe3\x80\x80|\\[nrtf])"
VERBS = {
    word: re.compile(pattern.replace(rb"~", _BYTE_GAP), re.IGNORECASE)
    for word, pattern in {
        "drop": rb"drop~+(?:table|database)",
        "delete": rb"delete~+from",
        "union": rb"union(?:~|/\*)+",
        "insert": rb"insert~+into",
        "update": rb"update~+\w+~+set",
        "alter": rb"alter~+(?:table|user|role|database)",
        "truncate": rb"truncate~+table",
        "grant": rb"grant~+\w",
        "exec": rb"exec~+(?:[xs]p_|master)",
        "execute": rb"execute~+(?:[xs]p_|master)",
        "waitfor": rb"waitfor~+delay",
        "rm": rb"rm~+-",
        "chmod": rb"chmod~+\+",
        "nc": rb"nc~+-e",
        "eval": rb"eval~*\(",
        "sleep": rb"sleep~*\(",
    }.items()
}
FOLLOWED = VERBS | {f"or {digit}": re.compile(rb"or\W{1,16}\w{1,9}[^\w=]{0,16}=", re.IGNORECASE) for digit in range(10)}
"""What has to follow a word that is usual elsewhere."""
WORDS = (
    *("`", "<", "powershell", "/dev/", "\\/dev", "\\u003c", "{{", "{%", "${", "#{", "/etc/", "__import__"),
    *("|", "$ ", "--", "javascript", "data text/html", "u0027", "'or", "' or", "'  or", "or \\"),
    *("os system", "child_process", "getruntime", "python/object", "  /  /", "%2f  %2f", "%0d%0a"),
    *("load_file", "hyperlink ", "webservice ", "importxml ", "importdata ", "importhtml "),
    *(f"or {digit}" for digit in range(10)),
    *(f"\\{escape}or" for escape in "nrtf"),
    *(f"{word}{after}" for word in VERBS for after in ((" ", "\\", "/") if word not in ("eval", "sleep") else ("",))),
)
"""Marks, and words as `READ_AS` leaves them; one is in every answer in which a form is found."""
SIGNS = Words(WORDS)
READ_AS = bytes(
    ord(chr(byte).lower()) if byte < 128 and (chr(byte).isalnum() or chr(byte) in "_<`|$-/\\'{%#") else ord(" ")
    for byte in range(256)
)
_FIELD = r"(?:pass(?:w|phrase|code|\b)|pwd|pin\b|cvv|cvc|otp|card|iban|ssn|seed|mnemonic)"
_COMPUTES = (
    r"(?:\d\s*\*\s*'?\d|__\w+__|\bconstructor\b|\b(?:config|settings|self|request|session|env|environ|process|secrets?)\b"
    r"|\b(?:system|exec|eval|popen|open|require|import|spawn|getruntime|forname|lipsum|cycler)\b|`|\bT\()"
)
"""What an expression in a template holds that does more than fill in a value."""
_CALLS = (
    r"(?:\d\s*\*\s*\d|\b(?:system|exec|eval|popen|spawn|env|file|io|dir|kernel|require|runtime|session|request)\b|`)"
)
_STATEMENT = (
    r"(?:drop\s+(?:table|database|user|view)\s|delete\s+from\s+\w+\s*(?:where|;|--|$)|update\s+\w+\s+set\s|insert\s+into\s+\w"
    r"|truncate\s+table\s|alter\s+(?:table|user|role|login)\s|grant\s+\w+(?:\s+privileges)?\s+on\s|exec(?:ute)?\s+[\w.]*p_"
    r"|shutdown\s*(?:;|--|$)|declare\s+@|waitfor\s+delay|select\s+[\w.*]+(?:\s{0,3},\s{0,3}[\w.*]+){0,20}\s+from\s+\w+\s*(?:where|limit|;|--|$))"
)
_COLUMN = r"(?:null|@@\w+|'[^'\n]{0,60}'|\*|[\w.$]+(?:\([^()\n]{0,80}\))?)"
_PHP_CALLS = r"\$_(?:get|post|request|server|env)\b|\b(?:shell_exec|passthru|assert|include|file_get_contents)\b"
_BETWEEN = r"(?:\s|/\*[^*\n]{0,40}\*/)+"
_KINDS: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "script": (
        (("<script",), r"<script\b[^>]{0,200}>"),
        (
            ("<", "on", "="),
            (
                r"<(?:img|svg|body|iframe|video|audio|source|details|input|object|embed)\b"
                r"[^>]{0,300}\bon[a-z]{3,20}\s{0,5}="
            ),
        ),
        (("<iframe", "src"), r"<iframe\b[^>]{0,200}\bsrc\b"),
        (("href", "javascript:"), r"\bhref\s{0,3}=\s{0,3}[\"']?javascript:"),
        (("](javascript:",), r"\]\(javascript:"),
        (("data:text/html",), r"data:text/html"),
        (("<meta", "refresh"), r"<meta\b[^>]{0,100}\brefresh\b[^>]{0,200}\burl\s{0,3}="),
        (("<base", "href"), r"<base\b[^>]{0,60}\bhref\s{0,3}="),
        (("<link", "stylesheet"), r"<link\b[^>]{0,200}\bstylesheet\b"),
        (("<style", "@import"), r"<style\b[^>]{0,100}>[^<]{0,300}@import"),
        (("<embed",), r"<embed\b[^>]{0,200}\bsrc\b"),
        (("<object", "data"), r"<object\b[^>]{0,200}\bdata\s{0,3}="),
    ),
    "login_form": (
        (("<input", "password"), r"<input\b[^>]{0,200}\btype\s{0,3}=\s{0,3}[\"']?password\b"),
        (
            ("<input", "<form"),
            rf"<input\b[^>]{{0,200}}\b(?:name|id|placeholder)\s{{0,3}}=\s{{0,3}}[\"']?[^\"'>]{{0,30}}{_FIELD}",
        ),
    ),
    "sql_injection": (
        (
            ("union", "select"),
            rf"(?:['\")]|\b\d{{1,12}}|\*/)\s{{0,3}}\bunion{_BETWEEN}(?:all{_BETWEEN}|distinct{_BETWEEN})?select\b",
        ),
        ((";",), rf"(?:['\")]|\b\d{{1,12}})\s{{0,3}};[ \t]{{0,5}}{_STATEMENT}"),
        (
            ("or", "="),
            (
                r"(?:['\"]\s{0,3}\)?\s{0,3}\bor\b\s{0,3}(?:(['\"]?)(\w{1,9})\1\s{0,3}=\s{0,3}\1\2\b|(['\"])\3\s{0,3}=\s{0,3}\3())"
                r"|\b\d{1,12}\sor\s(\d)\s?=\s?\5\b)(?=\4|\s*(?:['\";#)]|--|and\b|or\b|\Z))"
            ),
        ),
        (("--",), r"(?:\w'|['\")\d] ?; ?)--[ \t]*$"),
        (("sleep",), r"\b(?:and|or|select)\s{1,3}(?:pg_)?sleep\(\s{0,3}\d"),
        (("load_file",), r"\bload_file\s{0,3}\(\s{0,3}['\"(0]"),
        (("waitfor",), r"\bwaitfor\s+delay\s+'"),
        (("xp_",), r"\bexec(?:ute)?\s+(?:master\W{1,3}\w*\W{0,2})?xp_\w"),
    ),
    "sql": (
        (("drop",), r"\bdrop\s+(?:table|database)\s+(?:if\s+exists\s+)?\w"),
        (
            ("delete", "from"),
            r"\bdelete\s+from\s+[\w.]+\s*(?:;\s*$|where\s+[\w.()]+\s*(?:[=<>!]|(?:in|like|is|between)\b))",
        ),
        (
            ("union", "select"),
            (
                rf"\bunion{_BETWEEN}(?:all{_BETWEEN}|distinct{_BETWEEN})?select\s+{_COLUMN}(?:\s{{0,9}},\s{{0,9}}{_COLUMN}){{0,40}}\s{{0,9}}"
                r"(?:\bfrom\s+\w|--|;|$)"
            ),
        ),
        (("insert", "into"), r"\binsert\s+into\s+[\w.]+\s*(?:\([^()\n]{0,300}\)\s*(?:values|select)\b|values\s*\()"),
        (("update", "set", "="), r"\bupdate\s+[\w.]+\s+set\s+[\w.]+\s*="),
        (
            ("alter",),
            r"\balter\s+(?:table|user|role|database)\s+\w+\s+(?:add|drop|modify|rename|alter|with|identified|set|owner)\b",
        ),
        (("truncate", "table"), r"\btruncate\s+table\s+\w+\s*(?:;|$|--)"),
        (
            ("grant", "on", "to"),
            (
                r"\bgrant\s+(?:all(?:\s+privileges)?|(?:select|insert|update|delete|execute|usage)(?:\s*,\s*\w{1,20}){0,8})"
                r"\s+on\s+\S{1,80}\s+to\s"
            ),
        ),
    ),
    "shell": (
        (("curl", "|", "sh"), r"\bcurl\b[^\n|;]{4,300}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b"),
        (("wget", "|", "sh"), r"\bwget\b[^\n|;]{4,300}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b"),
        (("rm", "-", "r"), r"\brm\s+-[a-z]*r[a-z]*f?\s+[/~*$.]"),
        (("/dev/tcp/",), r"/dev/tcp/"),
        (("powershell", "-e"), r"\bpowershell\b[^\n]{0,60}-e(?:nc|ncodedcommand)?\b"),
        (("nc", "-e"), r"\bnc\s+-e\b"),
        (("chmod", "+x"), r"\bchmod\s+\+x\s"),
        (("$(",), r"\$\((?:curl|wget|cat|id|whoami|bash|sh|nslookup|uname|ls|env)\b"),
        (("cat", "/etc/"), r"\bcat\s+/etc/(?:passwd|shadow)\b"),
        (("eval", "atob("), r"\beval\s*\(\s*atob\("),
    ),
    "template": (
        (("{{", "}}"), rf"(?<![\w\\])\{{\{{(?!<)(?=[^{{}}\n]{{0,300}}{_COMPUTES})[^{{}}\n]{{1,400}}\}}\}}"),
        (
            ("{%", "%}"),
            r"\{%(?=[^%\n]{0,300}(?:__\w+__|\b(?:popen|debug|config|request|import\s{1,3}(?:os|sys|subprocess))\b))[^%\n]{1,400}%\}",
        ),
        (("${", "}"), rf"[$#]\{{(?=[^{{}}\n]{{0,300}}(?:{_COMPUTES}|\b(?:jndi|sys|java)\b:?))[^\n]{{1,400}}?\}}"),
        (("#{", "}"), rf"#\{{(?=[^{{}}\n]{{0,300}}{_COMPUTES})[^{{}}\n]{{1,400}}\}}"),
        (("<%", "%>"), rf"<%[=-]?(?=[^%\n]{{0,300}}{_CALLS})[^%]{{1,400}}%>"),
        (("<#",), r"<#(?:assign|include|import)\b[^>]{1,300}>"),
        (("<?",), rf"<\?(?:php\b|=)(?=[^\n]{{0,300}}(?:{_CALLS}|{_PHP_CALLS}))"),
        (("<!--#",), r"<!--#(?:exec|include|echo|config|set)\b"),
    ),
    "exploit": (
        (("__import__",), r"\b__import__\s{0,3}\("),
        (("os.system",), r"\bos\.system\s{0,3}\("),
        (("child_process",), r"\brequire\s{0,3}\(\s{0,3}['\"]child_process"),
        (("getruntime",), r"\bgetRuntime\s{0,3}\(\s{0,3}\)"),
        (("python/object",), r"!!python/object"),
        (("<!entity",), r"<!entity\b[^>]{1,100}\b(?:system|public)\b"),
        (("../../",), r"(?:\.\./){2,20}(?:etc|proc|root|home|var|windows|\.ssh)[/\\]\w"),
        (("%2f..%2f",), r"(?:\.\.%2f){2,20}\w"),
        (("%0d%0a",), r"%0d%0a(?:set-cookie|location|content-\w{1,20}|%0d%0a)"),
        (("=", "cmd|"), r"[=+@-]\s{0,3}cmd\|"),
        (
            ("=", "(", "&"),
            (
                r"=\s{0,3}(?:hyperlink|webservice|importxml|importdata|importhtml|image)\([^()\n]{0,300}https?:[^()\n]{0,300}&\s{0,3}"
                r"(?:\$?[a-z]{1,3}\$?\d|concat|char\b|cell\b|textjoin)"
            ),
        ),
    ),
}
"""Expressions, each with what is in every text, in lower case, in which it is found: looking for that costs little."""
FORMS = {
    kind: [(sign, others, re.compile(form, re.IGNORECASE | re.MULTILINE)) for (sign, *others), form in forms]
    for kind, forms in _KINDS.items()
}
