/* Counts hashed word, character and concept n-grams of texts and adds up what a linear model makes of them.
 *
 * Texts are UTF-8, folded to lower case by `treering.parse.textview`. What a feature is says this file alone: training
 * (`list`) and judging (`score`) read the same code. Freestanding C: the only memory is what `take` cuts from
 * WebAssembly's linear memory; every text is read in pieces of at most TOKENS tokens, so memory is bounded.
 *
 * Build, here with Zig's clang, which comes as a Python package (ziglang 0.17.1):
 *   python -m ziglang cc -target wasm32-freestanding -msimd128 -O3 -nostdlib -Wall -Wextra -Wl,--no-entry -Wl,--strip-all \
 *     -o ngrams.wasm ngrams.c && sha256sum ngrams.c > ngrams.c.sha256
 */
typedef unsigned char u8;
typedef signed char i8;
typedef unsigned short u16;
typedef short i16;
typedef unsigned int u32;
typedef int i32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define PAGE 65536u
#define TOKENS 32768u
#define LONGEST 48u /* bytes of a word that are looked at */
#define SEED 0x811C9DC5u

enum { WORDS, CHARS, CONCEPTS, SENSES, KINDS };
#define WORD_BITS 19u
#define CHAR_BITS 18u
#define CONCEPT_BITS 18u
#define SENSE_BITS 18u
#define CHARS_AT (1u << WORD_BITS)
#define CONCEPTS_AT (CHARS_AT + (1u << CHAR_BITS))
#define SENSES_AT (CONCEPTS_AT + (1u << CONCEPT_BITS))
#define FEATURES (SENSES_AT + (1u << SENSE_BITS))
#define HEADS 2u

enum { GAP, LETTER, DIGIT, STOP, BEYOND, ALONE, JOINER };
typedef struct { u32 start, end, hash; i32 sum; u16 concept, sense; u8 kind, count; } Token;
#define WIDE 64u /* numbers in the vector of a sense */
typedef struct { u32 text, start, end; i32 sums[KINDS]; u32 counts[KINDS], senses; i32 meaning[WIDE]; } Window;
typedef struct { u32 feature, start, end; } Seen;
typedef struct { u32 hash; u16 concept; u8 whole, length; } Entry;
typedef struct { u32 hash; u16 sense, length; } Sense;
typedef struct { u32 hash; i32 sums[HEADS]; u16 concept, sense; u8 length, count; } Known;

extern u8 __heap_base;
static u32 top;
static u8 kinds[256];
static Token *tokens;
static u8 *seen;              /* a bit for each feature that the window has */
static u32 *touched, touching; /* which these are, as long as there is room */
#define TOUCHED (1u << 16)
static const i16 *weights;    /* FEATURES for each head */
static u32 heads_known;
static Known *memo;           /* what is known of a word, its place by its hash */
#define MEMO_BITS 14u
static Sense *senses;         /* open addressing; length 0 is an empty slot */
static u32 senses_mask;
static const i8 *vectors; /* WIDE numbers for each sense, 0 included */
static Entry *lexicon;       /* open addressing; length 0 is an empty slot */
static u32 lexicon_mask;
static u8 *begins;           /* a bit for every hash of a beginning that the lexicon may know */
#define BEGINS (1u << 16)

static u32 take(u32 size) {
    u32 start = (top + 15u) & ~15u;
    u64 end = (u64)start + size, have = (u64)__builtin_wasm_memory_size(0) * PAGE;
    if (end > have && __builtin_wasm_memory_grow(0, (u32)((end - have + PAGE - 1) / PAGE)) == (unsigned long)-1)
        __builtin_trap();
    top = (u32)end;
    return start;
}

static u32 stir(u32 value) {
    value ^= value >> 16, value *= 0x85EBCA6Bu;
    value ^= value >> 13, value *= 0xC2B2AE35u;
    return value ^ (value >> 16);
}

static u32 pair(u32 one, u32 other) { return stir(one * 0x9E3779B1u + other + 0x7F4A7C15u); }

EXPORT(begin) void begin(u32 heads, u32 entries) {
    top = (u32)&__heap_base;
    for (u32 i = 0; i < 256; i++)
        kinds[i] = (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z') ? LETTER : i >= '0' && i <= '9' ? DIGIT
            : i == '.' || i == '!' || i == '?' || i == '\n' || i == ';' || i == ':' ? STOP
            : i == '\'' ? JOINER : i < 128 ? GAP : i < 0xE3 ? BEYOND : ALONE;
    tokens = (Token *)take(TOKENS * sizeof(Token));
    seen = (u8 *)take(FEATURES / 8);
    touched = (u32 *)take(TOUCHED * 4), touching = 0;
    memo = (Known *)take((1u << MEMO_BITS) * sizeof(Known));
    weights = (const i16 *)take(heads * FEATURES * 2), heads_known = heads;
    begins = (u8 *)take(BEGINS / 8);
    u32 room = 64;
    while (room < entries * 3) room *= 2;
    lexicon = (Entry *)take(room * sizeof(Entry));
    lexicon_mask = room - 1, senses_mask = 0;
}

EXPORT(weights_at) u32 weights_at(void) { return (u32)weights; }
EXPORT(features) u32 features(void) { return FEATURES; }
EXPORT(room_for) u32 room_for(u32 size) { return take(size); }

static u32 grow_hash(u32 value, u8 byte) { return (value ^ byte) * 0x01000193u; }

/* Remembers that a word which begins with (or, if `whole`, is) these bytes is an instance of `concept` (from 1). */
static void learn_one(const u8 *text, u32 length, u32 concept, u32 whole) {
    u32 value = SEED;
    for (u32 i = 0; i < length; i++) value = grow_hash(value, text[i]);
    u32 at = stir(value) & lexicon_mask, bit = stir(value) >> 16;
    while (lexicon[at].length && (lexicon[at].hash != value || lexicon[at].whole != whole)) at = (at + 1) & lexicon_mask;
    lexicon[at].hash = value, lexicon[at].concept = (u16)concept, lexicon[at].whole = (u8)whole;
    lexicon[at].length = (u8)length;
    begins[bit >> 3] |= (u8)(1u << (bit & 7));
}

/* Learns words one after another: word i has lengths[i] bytes and is an instance of concepts[i]. */
EXPORT(learn) void learn(const u8 *text, const u8 *lengths, const u16 *concepts, const u8 *wholes, u32 number) {
    for (u32 i = 0; i < number; text += lengths[i], i++) learn_one(text, lengths[i], concepts[i], wholes[i]);
}

/* Takes the senses of words: word i has lengths[i] bytes and the sense numbers[i], from 1; and `size` bytes of their
 * vectors, which are added up over the different senses of a window. */
EXPORT(make_sense) void make_sense(const u8 *text, const u8 *lengths, const u16 *numbers, u32 number, const i8 *of, u32 size) {
    u32 room = 64;
    i8 *kept = (i8 *)take(size);
    for (u32 i = 0; i < size; i++) kept[i] = of[i];
    vectors = kept;
    while (room < number * 2) room *= 2;
    senses = (Sense *)take(room * sizeof(Sense)), senses_mask = room - 1;
    for (u32 i = 0; i < number; text += lengths[i], i++) {
        u32 value = SEED;
        for (u32 n = 0; n < lengths[i]; n++) value = grow_hash(value, text[n]);
        u32 at = stir(value) & senses_mask;
        while (senses[at].length && (senses[at].hash != value || senses[at].length != lengths[i])) at = (at + 1) & senses_mask;
        senses[at] = (Sense){value, numbers[i], lengths[i]};
    }
}

static u32 sense_of(u32 value, u32 length) {
    if (!senses_mask) return 0;
    for (u32 at = stir(value) & senses_mask; senses[at].length; at = (at + 1) & senses_mask)
        if (senses[at].hash == value && senses[at].length == length) return senses[at].sense;
    return 0;
}

/* Returns the concept of a beginning of `length` bytes with this hash; 0 if there is none. */
static u32 known(u32 value, u32 length, u32 ends) {
    u32 mixed = stir(value), bit = mixed >> 16;
    if (!(begins[bit >> 3] >> (bit & 7) & 1)) return 0;
    for (u32 at = mixed & lexicon_mask; lexicon[at].length; at = (at + 1) & lexicon_mask)
        if (lexicon[at].hash == value && lexicon[at].length == length && (ends || !lexicon[at].whole))
            return lexicon[at].concept;
    return 0;
}

static u8 letters[LONGEST + 2]; /* of the word that was read last, between underscores */

/* Reads the letters of a word up to `end` and returns where it ends; *length is how many there are, LONGEST at most,
 * *whole whether these are all. */
static const u8 *spell(const u8 *at, const u8 *end, u32 *length, u32 *whole) {
    u32 count = 0;
    *whole = 1, letters[0] = '_';
    while (at < end) {
        u8 kind = kinds[*at];
        if (kind == JOINER && at + 1 < end && (kinds[at[1]] == LETTER || kinds[at[1]] == BEYOND)) { at++; continue; }
        if (kind != LETTER && kind != BEYOND) break;
        if (count < LONGEST) letters[1 + count++] = *at;
        else *whole = 0;
        at++;
    }
    letters[1 + count] = '_', *length = count;
    return at;
}

static u32 place_of(u32 kind, u32 value) {
    static const u32 first[KINDS] = {0, CHARS_AT, CONCEPTS_AT, SENSES_AT}, bits[KINDS] = {WORD_BITS, CHAR_BITS, CONCEPT_BITS, SENSE_BITS};
    return first[kind] + (stir(value + kind * 0x3C6EF372u) >> (32 - bits[kind]));
}

/* Says what is to be known of the word in `letters`: its concept, its sense, what its n-grams of characters add up to. */
static void study(Known *out, u32 length, u32 whole) {
    u32 value = SEED, found;
    for (u32 i = 0; i < length; i++) {
        value = grow_hash(value, letters[1 + i]);
        if ((found = known(value, i + 1, whole && i + 1 == length))) out->concept = (u16)found;
    }
    out->sense = (u16)(whole ? sense_of(value, length) : 0);
    for (u32 i = 0; length >= 3 && i + 3 <= length + 2; i++) {
        value = SEED;
        for (u32 n = 0; n < 5 && i + n < length + 2; n++) {
            value = grow_hash(value, letters[i + n]);
            if (n < 2) continue;
            u32 feature = place_of(CHARS, value + n);
            for (u32 h = 0; h < heads_known; h++) out->sums[h] += weights[h * FEATURES + feature];
            out->count++;
        }
    }
}

static u32 head;

static const u8 *word(Token *token, const u8 *text, const u8 *at, const u8 *end) {
    u32 value = SEED, length, whole;
    at = spell(at, end, &length, &whole);
    for (u32 i = 0; i < length; i++) value = grow_hash(value, letters[1 + i]);
    Known *it = &memo[stir(value) >> (32 - MEMO_BITS)];
    u8 is = (u8)(length | !whole << 7);
    if (it->hash != value || it->length != is) {
        *it = (Known){value, {0}, 0, 0, is, 0};
        study(it, length, whole);
    }
    token->hash = value, token->concept = it->concept, token->sense = it->sense, token->kind = LETTER;
    token->sum = it->sums[head], token->count = it->count, token->end = (u32)(at - text);
    return at;
}

static u32 wide(u8 byte) { return byte >= 0xF0 ? 4 : 3; }

/* A character of a script without spaces is a token; the concept is that of the longest known text that begins here. */
static const u8 *alone(Token *token, const u8 *text, const u8 *at, const u8 *end) {
    u32 value = SEED, length = 0, concept = 0, sense = 0, found;
    const u8 *stop = at + wide(*at) < end ? at + wide(*at) : end, *look = at;
    for (u32 i = 0; i < 8 && look < end && kinds[*look] == ALONE; i++) {
        const u8 *next = look + wide(*look) < end ? look + wide(*look) : end;
        for (; look < next; look++, length++) value = grow_hash(value, *look);
        if (!i) token->hash = value;
        if ((found = known(value, length, 1))) concept = found;
        if (i < 4 && (found = sense_of(value, length))) sense = found;
    }
    token->concept = (u16)concept, token->sense = (u16)sense, token->kind = ALONE, token->end = (u32)(stop - text);
    return stop;
}

/* Cuts `text` from *from on into at most TOKENS tokens; *from becomes where it stopped. */
static u32 cut(const u8 *text, u32 length, u32 *from) {
    const u8 *at = text + *from, *end = text + length;
    u32 count = 0;
    while (at < end && count < TOKENS) {
        u8 kind = kinds[*at];
        Token *token = &tokens[count];
        token->start = (u32)(at - text), token->concept = token->sense = token->count = 0, token->sum = 0;
        if (kind == LETTER || kind == BEYOND) { at = word(token, text, at, end), count++; continue; }
        if (kind == ALONE) { at = alone(token, text, at, end), count++; continue; }
        const u8 *first = at++;
        if (kind == DIGIT) while (at < end && kinds[*at] == DIGIT) at++;
        if (kind == GAP || kind == JOINER) continue;
        u32 digits = (u32)(at - first);
        token->hash = kind == DIGIT ? 0xD1617000u + (digits > 4 ? 5 : digits) : 0x570B0000u;
        token->kind = kind, token->end = (u32)(at - text);
        if (kind == STOP && count && tokens[count - 1].kind == STOP) continue;
        count++;
    }
    *from = (u32)(at - text);
    return count;
}

static Seen *listed;  /* where features are written to; null while scoring */
static float *shares; /* what each byte is worth more than the one before; null while scoring */
static float scales[KINDS];
static const i16 *chosen;
static Window *window;

/* Adds a feature, or `count` of them with a sum of their own, that stand from `start` to `end`. */
static void add(u32 kind, i32 sum, u32 count, u32 start, u32 end) {
    if (shares) {
        float share = (float)sum * scales[kind] / (float)(end > start ? end - start : 1);
        shares[start] += share, shares[end] -= share;
        return;
    }
    window->sums[kind] += sum, window->counts[kind] += count;
}

/* Returns whether the window did not have the feature before. */
static u32 emit(u32 kind, u32 value, u32 start, u32 end) {
    u32 feature = place_of(kind, value);
    if (seen[feature >> 3] >> (feature & 7) & 1) return 0;
    seen[feature >> 3] |= (u8)(1u << (feature & 7));
    if (touching < TOUCHED) touched[touching] = feature;
    touching++;
    if (listed) listed->feature = feature, listed->start = start, listed->end = end, listed++;
    else add(kind, chosen[feature], 1, start, end);
    return 1;
}

static void forget(void) {
    if (touching > TOUCHED) for (u32 i = 0; i < FEATURES / 8; i++) seen[i] = 0;
    else for (u32 i = 0; i < touching; i++) seen[touched[i] >> 3] = 0;
    touching = 0;
}

/* Those of each word that the window did not have before; n-grams that several words have count several times. */
static void characters(const u8 *text, const Token *token) {
    if (!listed) { add(CHARS, token->sum, token->count, token->start, token->end); return; }
    u32 length, whole;
    spell(text + token->start, text + token->end, &length, &whole);
    for (u32 i = 0; length >= 3 && i + 3 <= length + 2; i++) {
        u32 value = SEED;
        for (u32 n = 0; n < 5 && i + n < length + 2; n++) {
            value = grow_hash(value, letters[i + n]);
            if (n < 2) continue;
            listed->feature = place_of(CHARS, value + n), listed->start = token->start, listed->end = token->end, listed++;
        }
    }
}

/* Words of the same sense in different languages, and words that mean much the same, have one number: 1 to 3 of them. */
static void meanings(u32 first, u32 end) {
    u32 one = 0, two = 0; /* tokens with a sense before this, from 1 */
    for (u32 i = first; i < end; i++) {
        u32 is = tokens[i].sense, stop = tokens[i].end;
        if (!is) { if (tokens[i].kind == STOP) one = two = 0; continue; }
        if (emit(SENSES, is, tokens[i].start, stop) && !listed && !shares) {
            window->senses++;
            for (u32 d = 0; d < WIDE; d++) window->meaning[d] += vectors[is * WIDE + d];
        }
        if (one && i + 1 - one <= 3) {
            u32 with = tokens[one - 1].sense * 65536u + is;
            emit(SENSES, pair(with, 0xC0), tokens[one - 1].start, stop);
            if (two && one - two <= 3) {
                emit(SENSES, pair(with, 0x10000u + tokens[two - 1].sense), tokens[two - 1].start, stop);
                emit(SENSES, pair(tokens[two - 1].sense * 65536u + is, 0xC1), tokens[two - 1].start, stop);
            }
        }
        two = one, one = i + 1;
    }
}

#define BACK 4u
#define REACH 12u
static void concepts(u32 first, u32 end) {
    u32 before[BACK] = {0}, held = 0; /* numbers of the tokens with a concept, the last first */
    for (u32 i = first; i < end; i++) {
        u32 is = tokens[i].concept, stop = tokens[i].end;
        if (!is) continue;
        emit(CONCEPTS, is, tokens[i].start, stop);
        if (i == first || tokens[i - 1].kind == STOP) emit(CONCEPTS, is + 0x10000u, tokens[i].start, stop);
        for (u32 k = 0; k < held; k++) {
            u32 was = before[k], apart = i - was;
            if (apart > REACH) break;
            u32 two = tokens[was].concept * 4096u + is;
            emit(CONCEPTS, pair(two, 0xB0), tokens[was].start, stop);
            if (apart <= 3) emit(CONCEPTS, pair(two, 0xB1), tokens[was].start, stop);
            if (k + 1 < held && i - before[k + 1] <= REACH)
                emit(CONCEPTS, pair(two, 0x10000u + tokens[before[k + 1]].concept), tokens[before[k + 1]].start, stop);
        }
        for (u32 k = BACK - 1; k; k--) before[k] = before[k - 1];
        before[0] = i, held = held < BACK ? held + 1 : BACK;
    }
}

static void judge(const u8 *text, u32 first, u32 end) {
    for (u32 i = first; i < end; i++) {
        const Token *token = &tokens[i];
        u32 fresh = emit(WORDS, token->hash, token->start, token->end);
        if (i > first) {
            u32 two = pair(token[-1].hash, token->hash);
            emit(WORDS, two, token[-1].start, token->end);
            if (i > first + 1) emit(WORDS, pair(token[-2].hash, two), token[-2].start, token->end);
        }
        if (fresh && token->kind == LETTER) characters(text, token);
    }
    concepts(first, end), meanings(first, end);
    forget();
}

/* Writes the features of all of a text with the bytes of their first place; returns how many. Those of characters
 * are there once for each word, the others once. */
EXPORT(list) u32 list(const u8 *text, u32 length, Seen *out) {
    u32 from = 0;
    listed = out;
    u32 count = cut(text, length, &from);
    judge(text, 0, count);
    u32 written = (u32)(listed - out);
    listed = 0;
    return written;
}

/* Scores texts one after another: text i ends before ends[i + 1], is judged by heads[i] in windows of `size` tokens
 * that begin every `step` tokens. At most `most` windows are written; returns how many. */
EXPORT(score) u32 score(const u8 *data, const u32 *ends, const u8 *heads, u32 number, const u32 *sizes, Window *out, u32 most) {
    u32 written = 0;
    for (u32 i = 0; i < number; i++) {
        const u8 *text = data + ends[i];
        u32 length = ends[i + 1] - ends[i], from = 0, size = sizes[heads[i] * 2], step = sizes[heads[i] * 2 + 1];
        head = heads[i], chosen = weights + head * FEATURES;
        while (from < length && written < most) {
            u32 count = cut(text, length, &from);
            for (u32 first = 0; first < count && written < most; first += step) {
                u32 end = first + size < count ? first + size : count;
                window = &out[written++];
                *window = (Window){i, tokens[first].start, tokens[end - 1].end, {0}, {0}, 0, {0}};
                judge(text, first, end);
                if (end == count) break;
            }
        }
    }
    return written;
}

typedef struct { u32 start, end; } Stretch;
#define MOST_STRETCHES 3u

/* Writes the stretches of bytes with the highest sums, apart from each other (Kadane's, Bentley 1984): none that is
 * worth less than a third of the first. `worth` is used up. */
static void highest(float *worth, u32 length, Stretch *out) {
    float first = 0;
    for (u32 i = 0; i < MOST_STRETCHES; i++) out[i] = (Stretch){0, 0};
    for (u32 i = 0; i < MOST_STRETCHES; i++) {
        float sum = 0, best = 0;
        u32 from = 0;
        Stretch found = {0, 0};
        for (u32 at = 0; at < length; at++) {
            if (sum <= 0) sum = 0, from = at;
            sum += worth[at];
            if (sum > best) best = sum, found = (Stretch){from, at + 1};
        }
        if (best <= 0 || best < first / 3) return;
        if (!i) first = best;
        out[i] = found;
        for (u32 at = found.start; at < found.end; at++) worth[at] = -1e9f;
    }
}

/* Says where in each text what speaks most for an attack stands, as stretches of bytes (empty ones where there is no
 * more). A kind's features are worth factors[head * KINDS + kind] / sqrt(their number + softened[kind]), spread over
 * their bytes; `room` holds a float for each byte of the longest text and two more. */
EXPORT(stretches) void stretches(const u8 *data, const u32 *ends, const u8 *heads, u32 number, const float *factors, const float *softened, float *room, Stretch *out) {
    for (u32 i = 0; i < number; i++, out += MOST_STRETCHES) {
        head = heads[i];
        u32 length = ends[i + 1] - ends[i], from = 0, count = cut(data + ends[i], length, &from);
        Window counted = {0, 0, 0, {0}, {0}, 0, {0}};
        chosen = weights + head * FEATURES, window = &counted;
        judge(data + ends[i], 0, count);
        for (u32 k = 0; k < KINDS; k++)
            scales[k] = factors[heads[i] * KINDS + k] / __builtin_sqrtf((float)counted.counts[k] + softened[k]);
        for (u32 at = 0; at <= length + 1; at++) room[at] = 0;
        shares = room;
        judge(data + ends[i], 0, count);
        shares = 0;
        for (u32 at = 1; at < length; at++) room[at] += room[at - 1];
        highest(room, length, out);
    }
}

#define OTHER 26u
#define LONG 16u
#define FEW_DIGITS 12u
typedef struct { i32 backwards, rot13, spaced; u32 hints; } Spelling;
enum { LEET = 1, MARKUP = 2, ENCODED = 4 }; /* what it may be worth while to look for */

static u32 letter(u8 byte) { return byte >= 'a' && byte <= 'z' ? byte - 'a' : OTHER; }
static u32 leet(u8 byte) { return (byte >= '0' && byte <= '8' && byte != '2' && byte != '6') || byte == '@' || byte == '$' || byte == '!' || byte == '|'; }

/* Says what may be hidden in a text: too often rather than too rarely. */
static u32 hinted(const u8 *text, u32 length) {
    u32 hints = 0, run = 0, digits = 0, spelt = 0;
    for (u32 at = 0; at < length; at++) {
        u8 c = text[at], after = at + 1 < length ? text[at + 1] : 0;
        run = c <= ' ' ? 0 : run + ((c & 0xC0) != 0x80);
        if (run >= LONG || c == '%' || c == '&' || c == '\\') hints |= ENCODED;
        if (c >= '0' && c <= '7' && ++digits >= FEW_DIGITS) hints |= ENCODED;
        if (c == '<' || ((c == '*' || c == '_') && after == c)) hints |= MARKUP;
        if (leet(c) && at && letter(text[at - 1]) != OTHER && (letter(after) != OTHER || leet(after)) && ++spelt > 1) hints |= LEET;
    }
    return hints;
}

static u32 turned(u32 at) { return at == OTHER ? at : (at + 13) % 26; }
static i32 above(i32 sum, i32 *best) {
    if (sum > *best) *best = sum;
    return sum > 0 ? sum : 0;
}

/* Says of each text how much better its best stretch reads backwards and in ROT13 than as it stands, by the likelihood
 * of pairs of letters (27 x 27 of `pairs`: letters and whatever else), how many letters of it stand alone, and what else
 * may hide something. */
EXPORT(spellings) void spellings(const u8 *data, const u32 *ends, u32 number, const i8 *pairs, Spelling *out) {
    for (u32 i = 0; i < number; i++) {
        i32 back = 0, rot = 0;
        u32 before = OTHER, alone_for = 0, run = 0;
        Spelling found = {0, 0, 0, hinted(data + ends[i], ends[i + 1] - ends[i])};
        for (u32 at = ends[i]; at < ends[i + 1]; at++) {
            u32 is = letter(data[at]);
            i32 plain = pairs[before * 27 + is];
            back = above(back + pairs[is * 27 + before] - plain, &found.backwards);
            rot = above(rot + pairs[turned(before) * 27 + turned(is)] - plain, &found.rot13);
            if (is != OTHER) run++;
            else {
                if (run == 1) alone_for++;
                else if (run) alone_for = 0;
                if ((i32)alone_for > found.spaced) found.spaced = (i32)alone_for;
                run = 0;
            }
            before = is;
        }
        if (run == 1 && (i32)++alone_for > found.spaced) found.spaced = (i32)alone_for;
        out[i] = found;
    }
}
