# Errors are told by a number: in a header from 19.x on, else at the head of
# the text.  An insert is all or nothing; a row that cannot be read is found by
# halves.  Numbers: src/Common/ErrorCodes.cpp of ClickHouse; that the list is
# complete is unverified, others are tried again.

def code:
  (.headers["x-clickhouse-exception-code"] // "" | tonumber? // null)
  // (.body | strings | select(startswith("Code: "))
      | .[6:14] | split(",")[0] // "" | split(".")[0] // ""
      | tonumber? // null)
  // null;

# too many queries, parts or bytes; a time-out; a lost connection; read-only;
# not known whether it was inserted; the keeper
def again: [159, 164, 202, 203, 209, 210, 225, 241, 242, 243, 252, 254, 285,
            286, 319, 394, 425, 439, 999];

# a value that cannot be read or does not fit
def row: [6, 26, 27, 33, 38, 41, 53, 69, 72, 117, 131, 190, 321, 349, 441,
          457, 467, 469, 676];

# the table, a column, a setting, the words: an error of the description
def ours: [10, 16, 36, 44, 46, 47, 48, 60, 62, 73, 81, 115];

# who we are, and what we may
def rights: [192, 193, 194, 195, 291, 497, 516];

(code) as $code
| if $code == null then
    if .status == 200 then null
    elif .status == 413 then { outcome: "split" }
    else null end
  else
    ("code " + ($code | tostring)) as $reason
    | if again | index($code) then
        if $code == 202 or $code == 252 then
          { outcome: "throttled", retry_after: 5, reason: $reason }
        else { outcome: "retry", reason: $reason } end
      elif row | index($code) then { outcome: "split", reason: $reason }
      elif rights | index($code) then { outcome: "credentials", reason: $reason }
      elif ours | index($code) then { outcome: "stop", reason: $reason }
      else { outcome: "retry", reason: $reason } end
  end
