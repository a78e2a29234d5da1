import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/** As much JSON as the contract needs: a flat object in, anything out. */
final class Json {
  private static final Pattern MEMBER =
      Pattern.compile("\"(\\w+)\"\\s*:\\s*(?:\"((?:[^\"\\\\]|\\\\.)*)\"|(-?\\d+)|null|true|false)");

  private Json() {}

  /** The members of an object without objects in it; numbers as text, and null for null. */
  static Map<String, Object> flat(String text) {
    var members = new LinkedHashMap<String, Object>();
    var matcher = MEMBER.matcher(text);
    while (matcher.find()) {
      var word = matcher.group(2);
      members.put(matcher.group(1), word == null ? matcher.group(3) : unescaped(word));
    }
    return members;
  }

  private static String unescaped(String text) {
    var plain = new StringBuilder();
    for (int i = 0; i < text.length(); i++) {
      char letter = text.charAt(i);
      if (letter != '\\') {
        plain.append(letter);
        continue;
      }
      letter = text.charAt(++i);
      if (letter == 'u') {
        plain.append((char) Integer.parseInt(text.substring(i + 1, i + 5), 16));
        i += 4;
      } else {
        int place = "nrtbf".indexOf(letter);
        plain.append(place < 0 ? letter : "\n\r\t\b\f".charAt(place));
      }
    }
    return plain.toString();
  }

  /** A value as text: maps, iterables, numbers, booleans, null; all else as a string. */
  static String text(Object value) {
    var out = new StringBuilder();
    write(value, out);
    return out.toString();
  }

  private static void write(Object value, StringBuilder out) {
    if (value == null || value instanceof Boolean || value instanceof Integer || value instanceof Long) {
      out.append(value);
    } else if (value instanceof Map<?, ?> map) {
      out.append('{');
      map.forEach((name, member) -> writeMember(String.valueOf(name), member, out));
      out.append('}');
    } else if (value instanceof Iterable<?> elements) {
      out.append('[');
      elements.forEach(element -> writeElement(element, out));
      out.append(']');
    } else {
      quote(value.toString(), out);
    }
  }

  private static void writeMember(String name, Object value, StringBuilder out) {
    separate(out, '{');
    quote(name, out);
    out.append(':');
    write(value, out);
  }

  private static void writeElement(Object value, StringBuilder out) {
    separate(out, '[');
    write(value, out);
  }

  private static void separate(StringBuilder out, char opening) {
    if (out.charAt(out.length() - 1) != opening) {
      out.append(',');
    }
  }

  private static void quote(String text, StringBuilder out) {
    out.append('"');
    for (char letter : text.toCharArray()) {
      if (letter == '"' || letter == '\\') {
        out.append('\\').append(letter);
      } else if (letter < ' ' || letter > '~') {
        out.append(String.format("\\u%04x", (int) letter));
      } else {
        out.append(letter);
      }
    }
    out.append('"');
  }
}
