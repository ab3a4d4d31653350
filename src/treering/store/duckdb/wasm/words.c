/* Cuts texts into tokens and remembers which blocks and columns each token is in, and in how many rows of a column it
 * stands as a word, and on request which rows those are: the inner loop of the token index.
 *
 * What a token is says `tokens.py`, whose `hash_of` gives the same numbers. Freestanding C: the only memory is what
 * `take` cuts from WebAssembly's linear memory, which grows and goes away as a whole.
 *
 * Build, here with Zig's clang, which comes as a Python package (ziglang 0.17.1):
 *   python -m ziglang cc -target wasm32-freestanding -O3 -nostdlib -Wall -Wextra -Wl,--no-entry -Wl,--strip-all \
 *     -o words.wasm words.c && sha256sum words.c > words.c.sha256
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define PAGE 65536u
#define LONGEST 64u
#define CHUNK (1u << 20)

#define FEWEST 8u

enum { NONE, ASCII, BEYOND, ALONE }; /* between tokens; a letter of ASCII; another; one that is a token by itself */
/* A token in several columns; one whose rows as a word are not known in this column; one whose rows are asked for. */
enum { MANY = 1, UNSURE = 2, CHOSEN = 4 };
enum { WORD, PART, PERHAPS };        /* a word of Lucene's; a part of one; next to letters that only Unicode's tables know */

typedef struct {
    u64 hash;
    u64 order; /* the first eight bytes as a number, so that numbers are sorted as texts are */
    u32 text;
    u8 length, digits, hexes, flags;
    u32 rows, last; /* how many rows of `column` have it as a word, and which one was the last */
    u32 column, hits; /* and how often it is in it at most, each row counted once a mention */
} Token;

typedef struct { u32 token, column, rows; } Tally;
typedef struct { u32 token, begin, end; } Kept; /* the rows of a token: where they begin and end, in bytes */

extern u8 __heap_base;
static u32 top, arena, arena_end;
static u32 words;            /* 64-bit words of a set of blocks, and one more for the columns */
static Token *tokens;        /* in order of first appearance */
static u64 *masks;           /* `words` for each token: the blocks it is in, and bits of its columns */
static Tally *tallies;       /* of columns that a token was in before the one it was seen in last */
static u32 tallied, tally_room;
static u32 column, counting; /* the column at hand, and whether its rows are counted */
static u64 column_bit;
static u32 row, weight;      /* the row at hand, and for how many rows like it it stands */
static u32 unreal;           /* numbers for rows that stand for others, counted down */
static u32 *slots;           /* hash table: number of a token, plus one */
static u32 count, room;
static u64 *longer;          /* the blocks that hold a token longer than LONGEST */
static u8 kinds[256];

#define END 0xFFFFFFFFu
#define AS_WORD (1u << 31) /* of a row: the token is a word there */
#define AS_UNSURE (1u << 30) /* of a row: only Unicode's tables know whether it is one */
#define ROW (AS_UNSURE - 1)
static u32 *mentions;        /* the tokens of texts whose rows are kept, text after text, END after each */
static u32 mentioned, mention_room;
static u32 *starts;          /* of each row where its tokens begin, plus one; 0 where it has none */
static u32 keeping, noted;   /* whether values are kept of the rows of this column, and of how many rows tokens are */
static u32 noting;           /* whether tokens go into `mentions` now */

#define MOST_VALUES 32u
#define LONGEST_VALUE 256u
static struct { u32 text, length; } values[MOST_VALUES]; /* the different texts of a column, while they are few */
static u32 valued;           /* how many there are; beyond MOST_VALUES they are too many */
static u8 *codes;            /* of each row the number of its text in `values`, plus one; 0 where it has none */

#define SEEN 256u
static struct { u64 key; const u8 *text; u32 length, more, start, code; } seen[SEEN]; /* texts of this call of `add`: many repeat */

static u32 take(u32 size) {
    u32 start = (top + 15u) & ~15u;
    u64 end = (u64)start + size, have = (u64)__builtin_wasm_memory_size(0) * PAGE;
    if (end > have && __builtin_wasm_memory_grow(0, (u32)((end - have + PAGE - 1) / PAGE)) == (unsigned long)-1)
        __builtin_trap();
    top = (u32)end;
    return start;
}

static void grow(void) {
    u32 more = room ? room * 2 : 8192;
    Token *all = (Token *)take(more * sizeof(Token));
    u64 *sets = (u64 *)take(more * words * 8);
    u32 *table = (u32 *)take(more * 2 * 4), mask = more * 2 - 1; /* new pages are zero, and `take` gives nothing twice */
    __builtin_memcpy(all, tokens, count * sizeof(Token));
    __builtin_memcpy(sets, masks, count * words * 8);
    for (u32 i = 0; i < count; i++) {
        u32 at = (u32)(all[i].hash >> 32) & mask;
        while (table[at]) at = (at + 1) & mask;
        table[at] = i + 1;
    }
    tokens = all, masks = sets, slots = table, room = more;
}

EXPORT(begin) void begin(u32 block_words) {
    top = (u32)&__heap_base;
    words = block_words + 1, unreal = 0xFFFFFFFEu;
    for (u32 i = 0; i < 256; i++) {
        u8 letter = (u8)(i | 32);
        u8 ascii = (letter >= 'a' && letter <= 'z' && i < 128) || (i >= '0' && i <= '9') || i == '_';
        kinds[i] = ascii ? ASCII : i < 128 ? NONE : i < 0xE3 ? BEYOND : ALONE;
    }
    longer = (u64 *)take(words * 8);
    grow();
}

static u64 load(const u8 *at) {
    u64 value;
    __builtin_memcpy(&value, at, 8);
    return value;
}

/* Returns the first `length` bytes, at most eight, with letters of ASCII in lower case; the others are zero. */
static u64 folded(const u8 *text, u32 length) {
    const u64 each = 0x0101010101010101ull;
    u64 word = load(text);
    if (length < 8) word &= (1ull << (8 * length)) - 1;
    u64 low = word & 0x7F * each, from_a = low + (0x80 - 'A') * each, beyond_z = low + (0x7F - 'Z') * each;
    return word | ((from_a ^ beyond_z) & ~word & 0x80 * each) >> 2;
}

static u64 hash(const u8 *text, u32 length) {
    u64 value = length * 0xA54FF53A5F1D36F1ull;
    for (u32 left = length;; left -= 8, text += 8) {
        value = (value ^ folded(text, left)) * 0x6A09E667F3BCC909ull;
        value ^= value >> 32;
        if (left <= 8) break;
    }
    value *= 0xBB67AE8584CAA73Bull;
    return value ^ (value >> 29);
}

static void describe(Token *token, u64 value, const u8 *text, u32 length) {
    u32 whole = (length + 7) & ~7u, digits = 0, hexes = 0;
    if (arena_end - arena < whole) arena = take(CHUNK), arena_end = arena + CHUNK;
    u8 *copy = (u8 *)arena;
    arena += whole;
    for (u32 i = 0; i < length; i += 8) {
        u64 word = folded(text + i, length - i);
        __builtin_memcpy(copy + i, &word, 8);
    }
    for (u32 i = 0; i < length; i++) {
        u8 digit = copy[i] >= '0' && copy[i] <= '9';
        digits += digit;
        hexes += digit | (copy[i] >= 'a' && copy[i] <= 'f');
    }
    token->hash = value, token->order = __builtin_bswap64(load(copy)), token->text = (u32)copy;
    token->length = (u8)length, token->digits = (u8)digits, token->hexes = (u8)hexes;
}

/* Returns the slot of a token, or the empty one where it belongs. */
static u32 place(u64 value) {
    u32 mask = room * 2 - 1, at = (u32)(value >> 32) & mask;
    while (slots[at] && tokens[slots[at] - 1].hash != value) at = (at + 1) & mask;
    return at;
}

/* Keeps what was counted of a token in the column it was in before. */
static void tally(u32 number, Token *token) {
    if (!(token->flags & UNSURE) && token->rows >= FEWEST) {
        if (tallied == tally_room) {
            u32 more = tally_room ? tally_room * 2 : 1024;
            Tally *all = (Tally *)take(more * sizeof(Tally));
            __builtin_memcpy(all, tallies, tallied * sizeof(Tally));
            tallies = all, tally_room = more;
        }
        tallies[tallied++] = (Tally){number, token->column, token->rows};
    }
    token->flags = MANY, token->rows = token->hits = 0, token->last = 0xFFFFFFFFu, token->column = column;
}

static void note(u32 mention) {
    if (mentioned == mention_room) {
        u32 more = mention_room ? mention_room * 2 : 65536;
        u32 *all = (u32 *)take(more * 4);
        __builtin_memcpy(all, mentions, mentioned * 4);
        mentions = all, mention_room = more;
    }
    mentions[mentioned++] = mention;
}

static void put(const u8 *text, u32 length, u32 block, u8 as) {
    u64 bit = 1ull << (block & 63);
    if (length > LONGEST) longer[block >> 6] |= bit, longer[words - 1] |= column_bit, length = LONGEST, as = PERHAPS;
    u64 value = hash(text, length);
    u32 at = place(value);
    if (!slots[at]) {
        if (count == room) grow(), at = place(value);
        Token *fresh = &tokens[count];
        describe(fresh, value, text, length);
        fresh->column = column, fresh->last = 0xFFFFFFFFu;
        slots[at] = ++count;
    }
    u32 number = slots[at] - 1;
    u64 *mask = &masks[number * words];
    mask[block >> 6] |= bit, mask[words - 1] |= column_bit;
    Token *token = &tokens[number];
    if (token->column != column) tally(number, token);
    token->hits += weight;
    if (noting) note(number | (as == PERHAPS || !counting ? AS_UNSURE : as == WORD ? AS_WORD : 0));
    if (as == PERHAPS || !counting) token->flags |= UNSURE;
    else if (as == WORD && token->last != row) token->last = row, token->rows += weight;
}

static u8 is_digit(u8 byte) { return byte >= '0' && byte <= '9'; }
static u8 is_letter(u8 byte) { return (u8)((byte | 32) - 'a') < 26; }

/* Whether a token goes on beyond `near`, the byte next to its `edge`: by Unicode's text segmentation a full stop, a colon
 * and an apostrophe join letters, a full stop, a comma, a semicolon and an apostrophe digits. `far` comes after `near`. */
static u8 joined(u8 edge, u8 near, u8 far) {
    if (near >= 128) return PERHAPS;
    u8 letter = is_letter(edge), digit = is_digit(edge);
    u8 joins = (near == '.' || near == '\'') ? letter | digit : near == ':' ? letter : (near == ',' || near == ';') ? digit : 0;
    if (!joins) return WORD;
    if (far >= 128) return PERHAPS;
    return (letter ? is_letter(far) : is_digit(far)) ? PART : WORD;
}

static void split(const u8 *begin, const u8 *end, u32 block) {
    const u8 *text = begin;
    while (text < end) {
        u8 kind = kinds[*text];
        const u8 *start = text++;
        if (kind == NONE) continue;
        if (kind == ALONE) kind = BEYOND;
        while (text < end && kinds[*text] == kind) text++;
        u8 as = kind == ASCII ? WORD : PERHAPS;
        if (kind == ASCII && start > begin) as = joined(*start, start[-1], start - 1 > begin ? start[-2] : ' ');
        if (as == WORD && kind == ASCII && text < end) as = joined(text[-1], *text, text + 1 < end ? text[1] : ' ');
        put(start, (u32)(text - start), block, as);
    }
}

/* Counts the words of a text for the rows that repeated it. */
static void settle(u32 at, u32 block) {
    if (!seen[at].more) return;
    row = unreal--, weight = seen[at].more, seen[at].more = 0;
    split(seen[at].text, seen[at].text + seen[at].length, block);
}

static void settle_all(u32 block) {
    for (u32 at = 0; at < SEEN; at++) settle(at, block), seen[at].length = 0;
}

static u8 same(const u8 *one, const u8 *other, u32 length) {
    while (length >= 8) {
        if (load(one) != load(other)) return 0;
        one += 8, other += 8, length -= 8;
    }
    while (length && *one == *other) one++, other++, length--;
    return !length;
}

/* Returns the number of a text among the different ones of its column, plus one. */
static u32 value(const u8 *text, u32 length) {
    if (valued > MOST_VALUES) return 0;
    for (u32 i = 0; i < valued; i++)
        if (values[i].length == length && same((const u8 *)values[i].text, text, length)) return i + 1;
    if (valued == MOST_VALUES || length > LONGEST_VALUE) {
        valued = MOST_VALUES + 1;
        return 0;
    }
    values[valued].text = take(length + 8), values[valued].length = length;
    __builtin_memcpy((u8 *)values[valued].text, text, length);
    return ++valued;
}

/* Returns 0 when the same text was here before, else its place plus one; of two that take turns in a place it may not be
 * noticed. `again` is then where its tokens begin. */
static u32 again, code;
static u32 fresh(const u8 *text, u32 length, u32 block) {
    u64 key = length < 8 ? load(text) & ((1ull << (8 * length)) - 1) : load(text) * 3 + load(text + length - 8);
    key = (key + length) * 0x6A09E667F3BCC909ull;
    u32 at = (u32)(key >> 56);
    if (seen[at].key == key && seen[at].length == length && same(seen[at].text, text, length)) {
        seen[at].more++, again = seen[at].start, code = seen[at].code;
        return 0;
    }
    settle(at, block);
    seen[at].key = key, seen[at].text = text, seen[at].length = length;
    return at + 1;
}

/* Begins to keep the values of a column of `number` rows, if `tokens_too` also the rows of its tokens; until the next
 * `keep`. */
EXPORT(keep) void keep(u32 number, u32 tokens_too) {
    valued = 0, mentioned = 0, keeping = number > 0, noted = tokens_too ? number : 0;
    if (keeping) codes = (u8 *)take(number);
    if (noted) starts = (u32 *)take(number * 4);
}

/* Returns how many different texts the column has, or more than 32 for too many; and where they and the rows' codes are. */
EXPORT(values_found) u32 values_found(void) { return valued; }
EXPORT(values_at) u32 values_at(void) { return (u32)values; }
EXPORT(codes_at) u32 codes_at(void) { return (u32)codes; }

/* Begins the tokens of the row at hand, those that another form of its text had before included. */
static void begin_notes(u32 place) {
    u32 before = starts[row];
    starts[row] = mentioned + 1;
    if (place <= SEEN) seen[place - 1].start = mentioned + 1;
    for (; before && mentions[before - 1] != END; before++) note(mentions[before - 1]);
}

/* Takes in `number` texts of a column, one after another: text i of row rows[i], which ascend, ends where ends[i + 1]
 * says. Eight bytes beyond the last one may be read. `bit` stands for the column in the set of a token; its rows are
 * counted if `counted`. Otherwise the texts are other forms of those that were counted: where rows are kept, theirs stay. */
EXPORT(add) void add(const u8 *data, const u32 *ends, const u32 *rows, u32 number, u32 block_rows, u32 of, u32 bit,
                     u32 counted) {
    u32 block = 0, next = 0;
    column = of, column_bit = 1ull << (bit & 63), counting = counted;
    for (u32 i = 0; i < number; i++) {
        if (rows[i] >= next) {
            settle_all(block);
            block = rows[i] / block_rows, next = (block + 1) * block_rows;
        }
        const u8 *text = data + (ends[i] - ends[0]);
        u32 length = ends[i + 1] - ends[i];
        if (!length) continue;
        u32 place = noted && !counted ? SEEN + 1 : fresh(text, length, block);
        if (!place) {
            if (keeping && counted) codes[rows[i]] = (u8)code;
            if (noted) starts[rows[i]] = again;
            continue;
        }
        row = rows[i], weight = 1, noting = noted;
        if (keeping && counted) codes[row] = (u8)(seen[place - 1].code = value(text, length));
        if (noting) begin_notes(place);
        split(text, text + length, block);
        if (noting) note(END);
        noting = 0;
    }
    settle_all(block);
}

/* Writes the numbers of the tokens of this column whose rows were kept and that were mentioned in at least `least` rows,
 * `least_digits` if they have digits; returns where they end. */
EXPORT(candidates) u32 candidates(u32 of, u32 least, u32 least_digits, u32 *out) {
    for (u32 i = 0; i < count; i++) {
        Token *token = &tokens[i];
        if (token->column != of || token->length == LONGEST) continue;
        if (token->hits >= (token->digits ? least_digits : least)) *out++ = i;
    }
    return (u32)out;
}

/* Returns the rows of tokens: `number` entries of `Kept`. Rows ascend; the upper two bits say as what the token is there. */
EXPORT(kept) u32 kept(const u32 *chosen, u32 number) {
    Kept *all = (Kept *)take(number * sizeof(Kept));
    for (u32 i = 0; i < number; i++) {
        Token *token = &tokens[chosen[i]];
        u32 begin = take(token->hits * 4);
        all[i] = (Kept){chosen[i], begin, begin};
        token->flags |= CHOSEN, token->last = i;
    }
    for (u32 i = 0; i < noted; i++) {
        if (!starts[i]) continue;
        for (u32 at = starts[i] - 1; mentions[at] != END; at++) {
            Token *token = &tokens[mentions[at] & ROW];
            if (!(token->flags & CHOSEN)) continue;
            Kept *rows = &all[token->last];
            u32 *end = (u32 *)rows->end, as = mentions[at] & ~ROW;
            if (rows->end > rows->begin && (end[-1] & ROW) == i) end[-1] |= as;
            else *end = i | as, rows->end += 4;
        }
    }
    for (u32 i = 0; i < number; i++) tokens[chosen[i]].flags &= ~CHOSEN;
    return (u32)all;
}

/* Closes the count of every token; then `found_tallies` are all there are. */
EXPORT(tally_all) u32 tally_all(void) {
    column = 0xFFFFFFFFu;
    for (u32 i = 0; i < count; i++) {
        u8 flags = tokens[i].flags & MANY;
        tally(i, &tokens[i]);
        tokens[i].flags = flags;
    }
    return tallied;
}

/* Writes the tokens whose numbers are `chosen`, each after a newline, and returns where they end. */
EXPORT(lines) u32 lines(const u32 *chosen, u32 number, u8 *out) {
    for (u32 i = 0; i < number; i++) {
        Token *token = &tokens[chosen[i]];
        *out++ = '\n';
        __builtin_memcpy(out, (u8 *)token->text, token->length);
        out += token->length;
    }
    return (u32)out;
}

EXPORT(room_for) u32 room_for(u32 size) { return take(size); }
EXPORT(found) u32 found(void) { return count; }
EXPORT(found_tokens) u32 found_tokens(void) { return (u32)tokens; }
EXPORT(found_masks) u32 found_masks(void) { return (u32)masks; }
EXPORT(found_longer) u32 found_longer(void) { return (u32)longer; }
EXPORT(found_tallies) u32 found_tallies(void) { return (u32)tallies; }
