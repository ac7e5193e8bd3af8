#!/bin/sh
# Captures what icclint needs of a Docker host, as one tar.gz. Read it before you run it.
#
# Every command only reads. Nothing is installed, started, stopped or changed, and no kernel module is loaded: commands
# whose question to the kernel would load one are asked only where it is loaded. Needs a POSIX shell, awk, tar, gzip
# and one of sha256sum, shasum and openssl; runs with dash, bash and busybox. Run it as root, or less is seen.

set -u
LC_ALL=C
export LC_ALL
umask 077
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin

usage() {
    cat <<'USAGE'
usage: sh collect.sh [--redact] [--dry-run] [--output FOLDER]

  --redact         replace names of containers, networks and the host, comments, and public addresses, each by the
                   same word or address wherever it stands. Kept: interface names, chain names, private and special
                   addresses, MAC addresses, ids, and of a public address the first and the last octet (of IPv6 the
                   first 16 and the last 64 bits). Two addresses share a prefix afterwards exactly if they did before,
                   so that all rules still mean what they meant. Settings of the daemon are left out.
  --dry-run        print the commands, and run none of them
  --output FOLDER  where the tar.gz goes; here, unless given
USAGE
}

redact=no
dry=no
output=.
while [ $# -gt 0 ]; do
    case $1 in
    --redact) redact=yes ;;
    --dry-run) dry=yes ;;
    --output)
        [ $# -gt 1 ] || { usage >&2; exit 2; }
        output=$2
        shift
        ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    shift
done

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

has() { command -v "$1" >/dev/null 2>&1; }

digest() {
    if has sha256sum; then
        sha256sum <"$1" | cut -d ' ' -f 1
    elif has shasum; then
        shasum -a 256 <"$1" | cut -d ' ' -f 1
    else
        openssl dgst -sha256 <"$1" | sed 's/.*= *//'
    fi
}

# Is a module there, loaded or built in? The names of symbols can be read by anybody; addresses are not asked for.
loaded() { [ -d "/sys/module/$1" ] || grep -qw "$2" /proc/kallsyms 2>/dev/null; }

# run FILE COMMAND: one line of the manifest; FILE is kept where the command printed something or ended well.
run() {
    file=$1
    shift
    if [ "$dry" = yes ]; then
        printf '%-28s %s\n' "$file" "$*"
        return
    fi
    began=$(now)
    sh -c "$*" >"$capture/$file" 2>/dev/null </dev/null
    status=$?
    note "$file" "$status" "$began" "$*"
}

note() {
    ended=$(now)
    if [ "$2" -ne 0 ] && [ ! -s "$capture/$1" ]; then
        rm -f "$capture/$1"
        printf -- '-\t%s\t%s\t%s\t0\t-\t%s\n' "$2" "$3" "$ended" "$4" >>"$work/rows"
    else
        printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$ended" "$4" >>"$work/rows"
    fi
    [ "$2" -eq 0 ] || printf 'status %s: %s\n' "$2" "$4" >&2
}

# save FILE FAMILY: the rules of iptables (4) or ip6tables (6). `iptables-save` of the legacy variant loads a table's
# module when it asks for the table, and that of the nft variant loads nf_tables; where neither is there, there are no
# rules, and an empty dump says so.
save() {
    program=$2
    has "$program-save" || { run "$program-save.txt" "$program-save"; return; }
    case $("$program" --version 2>/dev/null) in
    *nf_tables*) variant=nft other=legacy ;;
    *) variant=legacy other=nft ;;
    esac
    if in_use "$variant" "$1"; then
        run "$program-save.txt" "$program-save -c"
    else
        run "$program-save.txt" ": $program-save was not asked, for no table of the $variant variant is loaded"
    fi
    if has "$program-$other-save" && in_use "$other" "$1"; then
        run "$program-$other-save.txt" "$program-$other-save -c"
    fi
}

in_use() {
    if [ "$1" = nft ]; then
        loaded nf_tables nf_tables_newrule
    else
        # Files in /proc have no size. Who may not read this one may not ask either, and the manifest will say so.
        names=/proc/net/${2}_tables_names
        [ -e "$names" ] && { [ ! -r "$names" ] || [ -n "$(cat "$names")" ]; }
    fi
}

# As JSON arrays of the parts that matter: of containers no environment, no arguments, no mounts; of networks that are to
# be redacted no labels. For a part that an old engine does not know a template prints null.
container='{"Id":{{json .Id}},"Name":{{json .Name}},"Created":{{json .Created}},"State":{"Status":{{json .State.Status}}},'
container=$container'"HostConfig":{"NetworkMode":{{json .HostConfig.NetworkMode}},"Links":{{json .HostConfig.Links}},'
container=$container'"PortBindings":{{json .HostConfig.PortBindings}},"Privileged":{{json .HostConfig.Privileged}},'
container=$container'"CapAdd":{{json .HostConfig.CapAdd}},"CapDrop":{{json .HostConfig.CapDrop}}},'
container=$container'"Config":{"ExposedPorts":{{json .Config.ExposedPorts}}},'
container=$container'"NetworkSettings":{"Ports":{{json .NetworkSettings.Ports}},"Networks":{{json .NetworkSettings.Networks}}}}'
network='{"Name":{{json .Name}},"Id":{{json .Id}},"Created":{{json .Created}},"Scope":{{json .Scope}},'
network=$network'"Driver":{{json .Driver}},"EnableIPv6":{{json .EnableIPv6}},"IPAM":{{json .IPAM}},"Internal":{{json .Internal}},'
network=$network'"Ingress":{{json .Ingress}},"ConfigFrom":{{json .ConfigFrom}},"ConfigOnly":{{json .ConfigOnly}},'
network=$network'"Containers":{{json .Containers}},"Options":{{json .Options}}}'

as_array="awk 'BEGIN { printf \"[\" } NF { printf \"%s%s\", sep, \$0; sep = \",\\n\" } END { print \"]\" }'"

# objects FILE LIST INSPECT: what Docker says of all that a list names, an empty array if it names nothing.
objects() {
    run "$1" "ids=\$($2) || exit; [ -z \"\$ids\" ] && { echo '[]'; exit; }; $3"
}

# parts FILE LIST INSPECT TEMPLATE: the same, of each the parts in a template.
parts() {
    objects "$1" "$2" "out=\$($3 --format '$4' \$ids); status=\$?; printf '%s\\n' \"\$out\" | $as_array; exit \$status"
}

# What follows is expanded by the shell that `run` starts.
# shellcheck disable=SC2016
{
    # What `sysctl -a` prints of all that concerns packets, for a host that has no such program.
    settings='cd /proc/sys && find kernel/hostname kernel/pid_max net -type f | sort | while read -r path; do'
    settings=$settings' value=$(cat "$path" 2>/dev/null) &&'
    settings=$settings' printf "%s = %s\n" "$(printf %s "$path" | tr ./ /.)" "$value"; done; true'

    # The engine and its proxies with their arguments, as ps shows them, which not every host has.
    processes='echo "    PID COMMAND"; for process in /proc/[0-9]*; do'
    processes=$processes' arguments=$(tr "\0" " " <"$process/cmdline" 2>/dev/null); program=${arguments%% *};'
    processes=$processes' case ${program##*/} in dockerd | docker-proxy)'
    processes=$processes' printf "%7s %s\n" "${process#/proc/}" "$arguments" ;; esac; done'
}

collect() {
    run docker-version.txt docker version
    if has docker; then
        networks='docker network ls -q --no-trunc'
        if [ "$redact" = no ]; then
            objects networks.json "$networks" "docker network inspect \$ids"
        else
            parts networks.json "$networks" 'docker network inspect' "$network"
        fi
        parts containers.json 'docker ps -aq --no-trunc' 'docker inspect' "$container"
    fi
    if [ "$redact" = no ]; then
        ! has docker || run docker-info.json "docker info --format '{{json .}}'"
        [ ! -r /etc/docker/daemon.json ] || run daemon.json cat /etc/docker/daemon.json
        ! has systemctl || run docker-unit.txt systemctl cat docker.service
        run processes.txt "$processes"
    fi
    save ip iptables
    save ip6 ip6tables
    if loaded nf_tables nf_tables_newrule; then
        ! has nft || run nft-ruleset.txt nft list ruleset
    fi
    if loaded ip_set ip_set_create; then
        ! has ipset || run ipset.txt ipset save
    fi
    if has ip; then
        run ip-addr.txt ip addr
        run ip-route.txt ip route
        run ip-6-route.txt ip -6 route
    fi
    if has sysctl; then
        run sysctl.txt sysctl -a
    else
        run sysctl.txt "$settings"
    fi
}

# The redaction. One awk reads all files, so that a name or an address becomes the same one in each.
redaction() {
    cat <<'AWK'
function word(kind, name) {
    if (name == "") return name
    if (!((kind, name) in words)) words[kind, name] = kind "-" ++count[kind]
    return words[kind, name]
}

function refuse(what) {
    printf "%s:%d: cannot be redacted without a change of its meaning: %s\n", FILENAME, FNR, what > "/dev/stderr"
    failed = 1
    exit 1
}

# Bit by bit a coin is tossed for each prefix that leads there, and never again: equal prefixes stay equal, and others
# stay different. The first `from` bits stay, and those from `to` on.
function scattered(prefix, number, width, from, to,    bit, place, value, digit) {
    value = 0
    for (bit = width - 1; bit >= 0; bit--) {
        place = width - 1 - bit
        digit = int(number / two[bit]) % 2
        if (place >= from && place < to) {
            if (!((prefix) in coin)) coin[prefix] = (rand() < 0.5)
            value += (digit != coin[prefix]) * two[bit]
        } else {
            value += digit * two[bit]
        }
        prefix = prefix digit
    }
    return value
}

function is_public4(a, b, c) {
    if (a == 0 || a == 10 || a == 127 || a >= 224) return 0
    if (a == 100 && b >= 64 && b < 128) return 0
    if (a == 169 && b == 254 || a == 172 && b >= 16 && b < 32 || a == 192 && b == 168) return 0
    if (a == 192 && b == 0 && (c == 0 || c == 2) || a == 198 && (b == 18 || b == 19)) return 0
    return !(a == 198 && b == 51 && c == 100 || a == 203 && b == 0 && c == 113)
}

# An address; of a network, whose bits behind the prefix are 0, these stay so.
function address4(text, length_,    part, a, b, c, first) {
    split(text, part, ".")
    a = part[1] + 0; b = part[2] + 0; c = part[3] + 0
    if (a > 255 || b > 255 || c > 255 || part[4] > 255 || !is_public4(a, b, c)) return text
    if (length_ == "" || (a * 16777216 + b * 65536 + c * 256 + part[4]) % two[32 - length_]) length_ = 32
    # The second octet tells private from public where the first alone does not.
    first = (a == 100 || a == 169 || a == 172 || a == 192 || a == 198 || a == 203) ? 8 : 0
    number = scattered("4." a ".", b * 256 + c, 16, first, length_ - 8)
    return a "." int(number / 256) "." number % 256 "." part[4]
}

function addresses4(line,    done, found, before, after, pair) {
    done = ""
    while (match(line, /[0-9]+[.][0-9]+[.][0-9]+[.][0-9]+(\/[0-9]+)?/)) {
        found = substr(line, RSTART, RLENGTH)
        before = substr(line, RSTART - 1, RSTART > 1)
        after = substr(line, RSTART + RLENGTH)
        done = done substr(line, 1, RSTART - 1)
        line = after
        if (before ~ /[0-9A-Za-z_.]/ || after ~ /^[.][0-9]/ && found !~ /\//) { done = done found; continue }
        split(found, pair, "/")
        if (address4(pair[1], "") != pair[1]) {
            if (found ~ /\// && after ~ /^[.]/) refuse(found after)
            if (match(after, /^-[0-9]+[.][0-9]+[.][0-9]+[.]/)) range4(pair[1], substr(after, 2, RLENGTH - 1))
        }
        done = done address4(pair[1], pair[2])
        if (found ~ /\//) done = done "/" pair[2]
    }
    return done line
}

function range4(first, last) {
    sub(/[0-9]+$/, "", first)
    if (first != last) refuse(first "*-" last "*")
}

function hex(text,    value, i) {
    value = 0
    text = tolower(text)
    for (i = 1; i <= length(text); i++) value = value * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
    return value
}

function address6(text, length_,    halves, left, right, n, m, i, group, high, rest, free) {
    n = split(text, halves, "::")
    if (n > 2 || n == 1 && gsub(/:/, ":", text) != 7) return text
    if (text !~ /^[23][0-9A-Fa-f][0-9A-Fa-f][0-9A-Fa-f]:/ || text ~ /^2001:0?[dD][bB]8:/) return text
    m = split(halves[1], left, ":")
    for (i = 1; i <= 8; i++) group[i] = 0
    for (i = 1; i <= m; i++) group[i] = hex(left[i])
    if (n == 2) {
        m = split(halves[2], right, ":")
        for (i = 1; i <= m; i++) group[8 - m + i] = hex(right[i])
    }
    if (length_ == "") length_ = 128
    rest = 0
    for (i = 1; i <= 8; i++) {
        free = i * 16 - length_
        if (free > 16) free = 16
        if (free > 0) rest += group[i] % two[free]
    }
    if (rest) length_ = 128
    high = (group[2] * 65536 + group[3]) * 65536 + group[4]
    high = scattered("6." group[1] ".", high, 48, 0, length_ - 16)
    group[2] = int(high / 4294967296); group[3] = int(high / 65536) % 65536; group[4] = high % 65536
    text = sprintf("%x", group[1])
    for (i = 2; i <= 8; i++) text = text sprintf(":%x", group[i])
    return text
}

function addresses6(line,    done, found, before, length_) {
    done = ""
    while (match(line, /[0-9A-Fa-f]*:[0-9A-Fa-f:]*[0-9A-Fa-f:]/)) {
        found = substr(line, RSTART, RLENGTH)
        before = substr(line, RSTART - 1, RSTART > 1)
        done = done substr(line, 1, RSTART - 1)
        line = substr(line, RSTART + RLENGTH)
        length_ = match(line, /^\/[0-9]+/) ? substr(line, 2, RLENGTH - 1) : ""
        if (line ~ /^-[0-9A-Fa-f]+:/ && address6(found, "") != found) refuse(found line)
        if (before !~ /[0-9A-Za-z_.]/) found = address6(found, length_)
        done = done found
    }
    return done line
}

# Text that a person wrote into a rule.
function remarks(line,    done, head, text) {
    done = ""
    while (match(line, /(--comment|--log-prefix|--nflog-prefix) [^ "]+|(comment|prefix) "([^"\\]|\\.)*"/)) {
        text = substr(line, RSTART, RLENGTH)
        head = text
        sub(/ .*/, "", head)
        text = substr(text, length(head) + 2)
        done = done substr(line, 1, RSTART - 1) head " "
        # The engine's own mark, by which people find the rule.
        if (text ~ /^"/) text = text == "\"ICC\"" ? text : "\"" word("remark", text) "\""
        else text = word("remark", "\"" text "\"")
        done = done text
        line = substr(line, RSTART + RLENGTH)
    }
    return done line
}

function network(name) {
    return name ~ /^(bridge|host|none|ingress|docker_gwbridge)$/ ? name : word("network", name)
}

function known(kind, name) { return (kind, name) in words ? words[kind, name] : name }

function alias(name) { return ("container", name) in words ? words["container", name] : word("alias", name) }

# SERVER or SERVER:ALIAS of an endpoint, /SERVER:/CLIENT/ALIAS of a container.
function link(text,    part) {
    if (text !~ /:/) return container(text)
    split(text, part, /[:\/]+/)
    if (text !~ /^\//) return container(part[1]) ":" alias(part[2])
    return container("/" part[2]) ":" container("/" part[3]) "/" alias(part[4])
}

function value(key, text) {
    # A network's own name comes first in its line.
    if (key == "Name") return in_networks && !named++ ? network(text) : container(text)
    if (key == "NetworkMode" || key == "Network") return known("network", text)
    if (key == "Links") return link(text)
    if (key == "Aliases" || key == "DNSNames") return alias(text)
    return text
}

function container(name) { return name ~ /^\// ? "/" word("container", substr(name, 2)) : word("container", name) }

function names(line,    done, text, key) {
    done = ""
    named = 0
    while (match(line, /"([^"\\]|\\.)*"/)) {
        text = substr(line, RSTART + 1, RLENGTH - 2)
        done = done substr(line, 1, RSTART)
        line = substr(line, RSTART + RLENGTH)
        if (line !~ /^:/) {
            done = done value(key, text) "\""
        } else {
            # The keys of `Networks` are names; what a network has begins with a capital.
            if (!in_networks && line ~ /^:[{]/ && text !~ /^[A-Z]/) text = known("network", text)
            key = text
            done = done text "\""
        }
    }
    return done line
}

BEGIN {
    srand(seed)
    # Not every awk has powers.
    two[0] = 1
    for (i = 1; i <= 48; i++) two[i] = 2 * two[i - 1]
}
FNR == 1 { in_networks = FILENAME ~ /networks[.]json$/; is_json = FILENAME ~ /[.]json$/ }
/^kernel[.](hostname|domainname) = / { sub(/= .*/, "= host") }
{
    # The names in it are people's own.
    gsub(/"AuxiliaryAddresses":[{][^}]*[}]/, "\"AuxiliaryAddresses\":{}")
    line = is_json ? names($0) : remarks($0)
    print addresses4(addresses6(line)) > (FILENAME ".redacted")
}
AWK
}

redact() {
    redaction >"$work/redaction.awk"
    seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
    # The networks first: their names are keys elsewhere.
    set -- networks.json containers.json
    for file in "$capture"/*; do
        case ${file##*/} in networks.json | containers.json) ;; *) set -- "$@" "${file##*/}" ;; esac
    done
    for file; do
        shift
        [ ! -s "$capture/$file" ] || set -- "$@" "$capture/$file"
    done
    [ $# -gt 0 ] || return 0
    awk -v seed="$seed" -f "$work/redaction.awk" "$@" || return
    for file; do
        mv "$file.redacted" "$file"
    done
}

# What was run, and what came of it. The first line is what icclint knows a manifest by.
manifest() {
    printf '# icclint capture 1\n# host %s\n# uid %s\n# redacted %s\n' "$host" "$(id -u)" "$redact"
    printf '# began %s, ended %s (UTC)\n' "$started" "$(now)"
    printf '# file\tstatus\tbegan\tended\tbytes\tsha256\tcommand\n'
    tab=$(printf '\t')
    while IFS=$tab read -r file status began ended rest; do
        if [ "$file" = - ]; then
            printf '%s\t%s\t%s\t%s\t%s\n' "$file" "$status" "$began" "$ended" "$rest"
        else
            printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$file" "$status" "$began" "$ended" \
                "$(wc -c <"$capture/$file" | tr -d ' ')" "$(digest "$capture/$file")" "$rest"
        fi
    done <"$work/rows"
}

if [ "$dry" = yes ]; then
    collect
    exit 0
fi

host=$(uname -n | tr -c 'A-Za-z0-9._\n-' '_')
[ "$redact" = no ] || host=host
started=$(now)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
name=icclint-$host-$(date -u +%Y%m%dT%H%M%SZ)
capture=$work/$name
mkdir "$capture" || exit 1
: >"$work/rows"

[ "$(id -u)" -eq 0 ] || echo 'not run as root: what only root may see will be missing' >&2
collect
if [ "$redact" = yes ]; then
    redact || { echo 'nothing was written' >&2; exit 1; }
fi
manifest >"$capture/manifest.tsv"
tar -C "$work" -cf - "$name" | gzip >"$work/bundle" && cp "$work/bundle" "$output/$name.tar.gz" || exit 1
printf '%s/%s.tar.gz\n' "$output" "$name"
