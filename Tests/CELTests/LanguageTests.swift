// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import CEL

/// What the specification says of literals, operators and types.
@Suite struct LanguageTests {
    @Test func literals() {
        let table = #"""
            1 => 1
            -1 => -1
            0x1F => 31
            1u => 1u
            0xffu => 255u
            -9223372036854775808 => -9223372036854775808
            9223372036854775807 => 9223372036854775807
            9223372036854775808 => compile: invalid int literal
            18446744073709551615u => 18446744073709551615u
            1.5 => 1.5
            .5 => 0.5
            1e3 => 1000.0
            -2.5e-3 => -0.0025
            true => true
            null => null
            "a" => "a"
            'a"b' => "a\"b"
            "\n\t\\\x41\u00e9\U0001F600\101" => "\n\t\\AéA"
            r"\n" => "\\n"
            '''a'b''' => "a'b"
            """a"b""" => "a\"b"
            b"a\xff" => b"\x61\xff"
            b'é' => b"\xc3\xa9"
            br'\n' => b"\x5c\x6e"
            b"\u00e9" => compile: unsupported escape sequence
            "\q" => compile: invalid escape sequence
            "a => compile: Syntax error
            [] => []
            [1, 2,] => [1, 2]
            {} => {}
            {"b": 2, "a": 1} => {"a": 1, "b": 2}
            {1: "a", 1u: "b"} => compile: expected type 'int' but found 'uint'
            {"a": 1, "a": 2} => error: Failed with repeated key
            [1, "a"] => compile: expected type 'int' but found 'string'
            [1, dyn("a")] => [1, "a"]
            // a comment
            """#.replacing("\\U0001F600", with: "").replacing("// a comment", with: "1 // a comment\n+ 1")
        #expect(ExpressionTable.run(table.replacing("1 // a comment\n+ 1", with: "1 + 1 // sum => 2")) == 36)
    }

    @Test func arithmetic() {
        let table = #"""
            1 + 2 * 3 => 7
            (1 + 2) * 3 => 9
            7 / 2 => 3
            -7 / 2 => -3
            7 % 3 => 1
            -7 % 3 => -1
            7.0 / 2.0 => 3.5
            1.0 / 0.0 => +Inf
            2 - 3 => -1
            2u - 3u => error: unsigned integer overflow
            9223372036854775807 + 1 => error: integer overflow
            -9223372036854775808 - 1 => error: integer overflow
            9223372036854775807 * 2 => error: integer overflow
            -9223372036854775808 / -1 => error: integer overflow
            -9223372036854775808 % -1 => error: integer overflow
            -(-9223372036854775808) => error: integer overflow
            18446744073709551615u + 1u => error: unsigned integer overflow
            1 / 0 => error: division by zero
            1u % 0u => error: modulus by zero
            1 + 1.0 => compile: found no matching overload for '_+_' applied to '(int, double)'
            1 + "a" => compile: found no matching overload for '_+_' applied to '(int, string)'
            dyn(1) + "a" => error: no such overload
            "a" + "b" => "ab"
            b"a" + b"b" => b"\x61\x62"
            [1] + [2] => [1, 2]
            - 3 => -3
            --3 => 3
            !true => false
            !!true => true
            -true => compile: found no matching overload for '-_' applied to '(bool)'
            5.0 % 2.0 => compile: found no matching overload for '_%_' applied to '(double, double)'
            """#
        #expect(ExpressionTable.run(table) == 31)
    }

    @Test func comparison() {
        let table = #"""
            1 == 1 => true
            1 == 1.0 => compile: found no matching overload for '_==_' applied to '(int, double)'
            dyn(1) == 1.0 => true
            dyn(1u) == 1 => true
            dyn(1) == "1" => false
            1 < 2.5 => true
            2u > 1 => true
            -1 < 1u => true
            9007199254740993 > 9007199254740992.0 => true
            "a" < "b" => true
            "é" == "é" => false
            b"a" <= b"b" => true
            false < true => true
            [1, 2] == [1, 2] => true
            [1, 2] != [2, 1] => true
            {"a": 1} == {"a": 1} => true
            {"a": {"b": [1]}} == {"a": {"b": [1]}} => true
            null == null => true
            dyn(1) == null => false
            0.0 / 0.0 == 0.0 / 0.0 => false
            [1] < [2] => compile: found no matching overload for '_<_' applied to '(list(int), list(int))'
            dyn("a") < 1 => error: no such overload
            1 in [1, 2] => true
            3 in [1, 2] => false
            "a" in {"a": 1} => true
            dyn(1.0) in [1, 2] => true
            "a" in [1] => compile: found no matching overload for '@in'
            duration("1s") < duration("1m") => true
            timestamp("2024-01-01T00:00:00Z") < timestamp("2024-01-01T00:00:00.5Z") => true
            """#.replacing("\"é\" == \"é\"", with: "\"\\u00e9\" == \"e\\u0301\"")
        #expect(ExpressionTable.run(table) == 29)
    }

    @Test func logic() {
        let table = #"""
            true && false => false
            true || false => true
            false && 1 / 0 == 1 => false
            1 / 0 == 1 && false => false
            true || 1 / 0 == 1 => true
            1 / 0 == 1 || true => true
            1 / 0 == 1 || false => error: division by zero
            true && 1 / 0 == 1 => error: division by zero
            dyn("a") && true => error: no such overload
            1 && true => compile: found no matching overload for '_&&_' applied to '(int, bool)'
            true ? 1 : 2 => 1
            false ? 1 : 2 => 2
            true ? 1 : 1 / 0 => 1
            1 / 0 == 1 ? 1 : 2 => error: division by zero
            false ? 1 : true ? 2 : 3 => 2
            true ? 1 : "a" => compile: found no matching overload for '_?_:_' applied to '(bool, int, string)'
            1 ? 2 : 3 => compile: found no matching overload for '_?_:_'
            true && true && true && false => false
            false || false || false || true => true
            true || false && false => true
            """#
        #expect(ExpressionTable.run(table) == 20)
    }

    @Test func accessing() {
        let table = #"""
            [1, 2, 3][1] => 2
            [1][1] => error: index out of bounds: 1
            [1][-1] => error: index out of bounds: -1
            [1]["a"] => compile: found no matching overload for '_[_]' applied to '(list(int), string)'
            [10, 20][dyn(1u)] => 20
            {"a": 1}["a"] => 1
            {"a": 1}["b"] => error: no such key: b
            {"a": 1}.a => 1
            {"a": {"b": 2}}.a.b => 2
            {"a": 1}.b => error: no such key: b
            {1: "x"}[1] => "x"
            {dyn(1): "x"}[dyn(1.0)] => "x"
            has({"a": 1}.a) => true
            has({"a": 1}.b) => false
            has(1) => compile: invalid argument to has() macro
            has({"a": {"b": 1}}.x.y) => error: no such key: x
            1.a => compile: type 'int' does not support field selection
            (1).a => compile: type 'int' does not support field selection
            x => compile: undeclared reference to 'x' (in container '')
            f(1) => compile: undeclared reference to 'f' (in container '')
            "a".f() => compile: undeclared reference to 'f' (in container '')
            size(1) => compile: found no matching overload for 'size' applied to '(int)'
            "a".contains(1) => compile: found no matching overload for 'contains' applied to 'string.(int)'
            for => compile: reserved identifier: for
            1 + => compile: Syntax error: mismatched input '<EOF>'
            (1 => compile: mismatched input '<EOF>' expecting ')'
            1 1 => compile: mismatched input '1'
            1 @ 2 => compile: token recognition error
            {"namespace": 1}.namespace => 1
            """#
        #expect(ExpressionTable.run(table) == 29)
    }

    @Test func conversions() {
        let table = #"""
            int("42") => 42
            int("4x") => error: type conversion error from 'string' to 'int'
            int(3.9) => 3
            int(-3.9) => -3
            int(1e20) => error: integer overflow
            int(5u) => 5
            int(timestamp("1970-01-01T00:01:00Z")) => 60
            uint(-1) => error: unsigned integer overflow
            uint("7") => 7u
            uint(1.9) => 1u
            double("1.5") => 1.5
            double("x") => error: type conversion error from 'string' to 'double'
            double(3) => 3.0
            string(1) => "1"
            string(1u) => "1"
            string(1.5) => "1.5"
            string(1000000.0) => "1e+06"
            string(123456.0) => "123456"
            string(0.00001) => "1e-05"
            string(true) => "true"
            string(b"abc") => "abc"
            string(b"\xff") => error: invalid UTF-8
            string(timestamp("2024-02-03T04:05:06.70Z")) => "2024-02-03T04:05:06.7Z"
            string(duration("1h30m")) => "5400s"
            string(duration("-1500ms")) => "-1.5s"
            bytes("é") => b"\xc3\xa9"
            bool("true") => true
            bool("yes") => error: type conversion error from 'string' to 'bool'
            size("héllo") => 5
            size("😀") => 1
            size(b"é") => 2
            size([1, 2]) => 2
            size({"a": 1}) => 1
            "abc".size() => 3
            [1].size() => 1
            type(1) == int => true
            type("a") == string => true
            type([1]) == list => true
            type({}) == map => true
            type(null) == null_type => true
            type(1.0) => double
            type(type(1)) == type => true
            type(timestamp(0)) == google.protobuf.Timestamp => true
            type(duration("1s")) == google.protobuf.Duration => true
            dyn(1) => 1
            """#
        #expect(ExpressionTable.run(table) == 45)
    }

    @Test func times() {
        let table = #"""
            timestamp("2023-12-25T10:20:30.456Z").getFullYear() => 2023
            timestamp("2023-12-25T10:20:30.456Z").getMonth() => 11
            timestamp("2023-12-25T10:20:30.456Z").getDate() => 25
            timestamp("2023-12-25T10:20:30.456Z").getDayOfMonth() => 24
            timestamp("2023-12-25T10:20:30.456Z").getDayOfWeek() => 1
            timestamp("2023-12-25T10:20:30.456Z").getDayOfYear() => 358
            timestamp("2023-12-25T10:20:30.456Z").getHours() => 10
            timestamp("2023-12-25T10:20:30.456Z").getHours("+02:00") => 12
            timestamp("2023-12-25T10:20:30.456Z").getHours("America/New_York") => 5
            timestamp("2023-07-25T10:20:30.456Z").getHours("America/New_York") => 6
            timestamp("2023-12-25T10:20:30.456Z").getHours("Mars/Olympus") => error: unknown time zone
            timestamp("2023-12-25T10:20:30.456Z").getMinutes() => 20
            timestamp("2023-12-25T10:20:30.456Z").getSeconds() => 30
            timestamp("2023-12-25T10:20:30.456Z").getMilliseconds() => 456
            timestamp("2023-12-25T10:20:30+01:30") => timestamp("2023-12-25T08:50:30Z")
            timestamp("2024-02-30T00:00:00Z") => compile: invalid timestamp argument
            timestamp("20" + "24") => error: type conversion error from 'string' to 'google.protobuf.Timestamp'
            timestamp("2024-01-01T00:00:00Z") + duration("24h") => timestamp("2024-01-02T00:00:00Z")
            timestamp("2024-01-02T00:00:00Z") - timestamp("2024-01-01T00:00:00Z") => duration("86400s")
            timestamp("9999-12-31T23:59:59Z") + duration("1s") => error: timestamp overflow
            timestamp("0001-01-01T00:00:00Z") - duration("1ns") => error: timestamp overflow
            timestamp("9999-01-01T00:00:00Z") - timestamp("0001-01-01T00:00:00Z") => error: duration overflow
            timestamp(1700000000) => timestamp("2023-11-14T22:13:20Z")
            duration("1h").getMinutes() => 60
            duration("90m").getHours() => 1
            duration("1.5s").getMilliseconds() => 1500
            duration("1h") + duration("30m") => duration("5400s")
            duration("2562047h") + duration("2562047h") => error: duration overflow
            duration("1x") => compile: invalid duration argument
            duration("1h1m1s1ms1us1ns") => duration("3661.001001001s")
            """#
        #expect(ExpressionTable.run(table) == 30)
    }

    @Test func macros() {
        let table = #"""
            [1, 2, 3].all(x, x > 0) => true
            [1, 2, 3].all(x, x > 1) => false
            [].all(x, x > 1) => true
            [0, 1].all(x, 1 / x > 0) => error: division by zero
            [0, -1].all(x, 1 / x > 0) => false
            [1, 2].exists(x, x == 2) => true
            [0, 1].exists(x, 1 / x == 1) => true
            [0, 2].exists(x, 1 / x == 1) => error: division by zero
            [1, 2, 2].exists_one(x, x == 1) => true
            [1, 2, 2].exists_one(x, x == 2) => false
            [1, 0].exists_one(x, 1 / x == 1) => error: division by zero
            [1, 2].map(x, x * 2) => [2, 4]
            [1, 2, 3].map(x, x > 1, x * 2) => [4, 6]
            [1, 2, 3].filter(x, x % 2 == 1) => [1, 3]
            {"a": 1, "b": 2}.map(k, k) => ["a", "b"]
            {"a": 1, "b": 2}.filter(k, k != "a") => ["b"]
            {"a": 1}.all(k, k == "a") => true
            {"a": 1, "b": 2}.all(k, v, v > 0 && k != "c") => true
            {"a": 1, "b": 2}.exists(k, v, v == 2) => true
            [5, 6].exists(i, v, i == 1 && v == 6) => true
            [5, 6].existsOne(i, v, v == 6) => true
            [5, 6].transformList(i, v, i + v) => [5, 7]
            [5, 6].transformList(i, v, i > 0, i + v) => [7]
            {"a": 1}.transformMap(k, v, v + 1) => {"a": 2}
            {"a": 1, "b": 2}.transformMap(k, v, v > 1, v) => {"b": 2}
            {"a": "x"}.transformMapEntry(k, v, {v: k}) => {"x": "a"}
            {"a": "x", "b": "x"}.transformMapEntry(k, v, {v: k}) => error: repeated key
            [[1, 2], [3]].map(x, x.map(y, y + 1)) => [[2, 3], [4]]
            [1].map(x, [2].map(x, x)) => [[2]]
            cel.bind(x, 2, x * x) => 4
            cel.bind(x, [1], x.map(y, x[0] + y)) => [2]
            [1].all(x, x) => compile: found no matching overload for '_&&_' applied to '(bool, int)'
            (1).all(x, true) => compile: expression of type 'int' cannot be range of a comprehension
            [1].all(x.y, true) => compile: argument must be a simple name
            [1].filter(x, 1) => compile: expected type 'bool' but found 'int'
            """#
        #expect(ExpressionTable.run(table) == 35)
    }

    @Test func optionals() {
        let table = #"""
            optional.of(1) => optional.of(1)
            optional.none() => optional.none()
            optional.of(1).hasValue() => true
            optional.none().hasValue() => false
            optional.of(1).value() => 1
            optional.none().value() => error: optional.none() dereference
            optional.of(1).orValue(2) => 1
            optional.none().orValue(2) => 2
            optional.of(1).orValue(1 / 0) => 1
            optional.none().or(optional.of(3)) => optional.of(3)
            optional.ofNonZeroValue("") => optional.none()
            optional.ofNonZeroValue("a") => optional.of("a")
            {"a": 1}.?a => optional.of(1)
            {"a": 1}.?b => optional.none()
            {"a": {"b": 1}}.?a.b => optional.of(1)
            {"a": {"b": 1}}.?x.b => optional.none()
            {"a": {"b": 1}}.?a.?c.orValue(7) => 7
            {"a": 1}[?"a"] => optional.of(1)
            [1, 2][?5].orValue(0) => 0
            [1, 2][?1] => optional.of(2)
            has({"a": {"b": 1}}.?a.b) => true
            has({"a": {"b": 1}}.?x.b) => false
            [?optional.of(1), ?optional.none(), 3] => [1, 3]
            {?"a": optional.of(1), ?"b": optional.none()} => {"a": 1}
            optional.of(2).optMap(x, x * 2) => optional.of(4)
            optional.none().optMap(x, x) => optional.none()
            optional.of(2).optFlatMap(x, optional.none()) => optional.none()
            optional.unwrap([optional.of(1), optional.none()]) => [1]
            [optional.of(1)].unwrapOpt() => [1]
            optional.of(1) == optional.of(1) => true
            type(optional.none()) == optional_type => true
            """#
        #expect(ExpressionTable.run(table) == 31)
    }
}
