#!/bin/sh
# flowcut-host-linux: finds, closes and denies the network flows of the host that it runs on, and says what is left.
#
# Prints one line of JSON per flow and one verdict as the last line (functions/core/host/host-protocol.ts), and nothing else:
# what this script cannot say in that form it does not say, and its caller takes silence as "no evidence".
#
# It needs a POSIX shell, awk, ls, grep, cat, sort, tr and xargs; it uses ss, nsenter, nft or iptables, timeout, sha256sum and bash where it
# finds them. It writes no file (the disk may be full or read-only), keeps no state, and may be run again or twice at once.

# Listings come from `ls -q`, which keeps a newline in a name from starting a line: find -printf is not everywhere.
# shellcheck disable=SC2010,SC2012
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
unset LD_PRELOAD LD_LIBRARY_PATH ENV BASH_ENV CDPATH
IFS=' 	
'
umask 077
exec 2>/dev/null </dev/null

VERB=${SSM_Verb:-}
CASE_ID=${SSM_CaseId:-}
ADDRESSES=${SSM_RemoteAddresses:-none}
PIDS=${SSM_Pids:-none}
PORTS=${SSM_Ports:-none}
MODE=${SSM_Mode:-peers}
SURVIVORS=${SSM_Survivors:-stop}
AGENT_SESSIONS=${SSM_AgentSessions:-keep}
SESSIONS=${SSM_Sessions:-keep}
EVIDENCE=${SSM_Evidence:-20}

# The caller refuses an output of more than 20,000 characters as not ours.
OUTPUT_LIMIT=19500
# How often `cut` looks again, and for how long a host must stay quiet between the last two looks.
LOOKS=6
PAUSE=0.5
# An attacker may make namespaces without end to slow us down; what is left out is an error in the verdict.
NAMESPACE_LIMIT=256
DENY_LIMIT=64

# How long after its answer the agent's connections are closed, and after each close what it has opened since: a changed group takes
# effect within seconds, and until then a new connection would be tracked again.
AGENT_PAUSES='3 5 10 15 30 30'

errors=''
notes=''
AGENT_PEERS=''
AGENT_ENDPOINTS=''
stopped=''
killed=''
ended=0
agent_endpoint=''
peer_probe=skipped
agent_probe=skipped
gathered=''
captured=''
evidence_room=0
fail() { case "|$errors" in *"|$1|"*) ;; *) errors="$errors$1|" ;; esac }
note() { notes="$notes$1|"; }

# ---------------------------------------------------------------------------------------------------------------- parameters

# One address as the tools will take it: no names, no networks, no leading zeros.
is_address() {
  printf '%s\n' "$1" | awk '
    /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/ {
      n = split($0, part, ".")
      for (i = 1; i <= n; i++) if (part[i] > 255 || part[i] !~ /^(0|[1-9][0-9]*)$/) exit 1
      exit 0
    }
    /^[0-9a-fA-F:]+$/ && /:/ && !/:::/ && !/[^:]:$/ && !/^:[^:]/ && !/[0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F]/ {
      groups = split($0, part, ":")
      short = gsub(/::/, "::")
      exit !((short == 0 && groups == 8) || (short == 1 && groups <= 9 && groups >= 3))
    }
    { exit 1 }'
}

is_numbers() {
  case $1 in none) return 0 ;; '' | *[!0-9,]* | ,* | *, | *,,*) return 1 ;; esac
  [ "${#1}" -le 1000 ]
}

words() { [ "$1" = none ] || printf '%s' "$1" | tr , ' '; }

check_parameters() {
  case $VERB in list | cut | verify | undo | close-agent) ;; *) return 1 ;; esac
  case $CASE_ID in '' | *[!a-z0-9-]*) return 1 ;; esac
  [ "${#CASE_ID}" -le 64 ] || return 1
  case $MODE in peers | quarantine) ;; *) return 1 ;; esac
  case $SURVIVORS in leave | stop | kill) ;; *) return 1 ;; esac
  case $AGENT_SESSIONS in keep | close) ;; *) return 1 ;; esac
  # To end the remote sessions is to end the agent's too.
  case $SESSIONS in keep) ;; stop) AGENT_SESSIONS=close ;; *) return 1 ;; esac
  case $EVIDENCE in none) EVIDENCE=0 ;; [1-9] | [1-4][0-9] | 50) ;; *) return 1 ;; esac
  is_numbers "$PIDS" && is_numbers "$PORTS" || return 1
  case $ADDRESSES in none) ;; '' | *[!0-9a-fA-F.:,]* | ,* | *, | *,,*) return 1 ;; esac
  PIDS=$(words "$PIDS") PORTS=$(words "$PORTS") ADDRESSES=$(words "$ADDRESSES")
  for address in $ADDRESSES; do is_address "$address" || return 1; done
}

check_parameters || exit 2

# --------------------------------------------------------------------------------------------------------------------- tools

# A tool's absolute path in the system's own folders, or nothing. Never what PATH says: a lying `ss` may stand first in it.
tool() {
  for folder in /usr/sbin /usr/bin /sbin /bin; do
    if [ -f "$folder/$1" ] && [ -x "$folder/$1" ]; then
      printf '%s' "$folder/$1"
      return
    fi
  done
}
SS=$(tool ss)
NSENTER=$(tool nsenter)
NFT=$(tool nft)
IPTABLES=$(tool iptables)
IP6TABLES=$(tool ip6tables)
TIMEOUT=$(tool timeout)
SHA256SUM=$(tool sha256sum)

# Runs a command in the network namespace that the path names; `-` is the one we are in.
in_ns() {
  where=$1
  shift
  if [ "$where" = - ]; then "$@"; elif [ -n "$NSENTER" ]; then "$NSENTER" --net="$where" "$@"; else return 127; fi
}

# ---------------------------------------------------------------------------------------------------------------- namespaces

namespace_of() { ls -lnq "$1" | awk '{ gsub(/[^0-9]/, "", $NF); print $NF; exit }'; }

OWN_NS=$(namespace_of /proc/self/ns/net)
HOST_NS=$(namespace_of /proc/1/ns/net)
[ -n "$HOST_NS" ] || HOST_NS=$OWN_NS
HOST_PATH=-
[ "$HOST_NS" = "$OWN_NS" ] || HOST_PATH=/proc/1/ns/net

# One line for each network namespace that a thread lives in or a file names: inode, name (`-` = the host's), paths that lead to it.
# Threads, not processes: one thread may have moved to a namespace of its own. Several paths, lowest process ids first, since the
# first to be listed may be a `sleep` that is gone a moment later.
namespaces() {
  {
    for folder in /run/netns /run/docker/netns; do
      [ -d "$folder" ] && ls -Lniq "$folder" | awk -v folder="$folder" '$NF ~ /^[A-Za-z0-9._-]+$/ && NF == 10 { print "mount", folder "/" $NF, $1 }'
    done
    printf '%s\n' /proc/[0-9]*/task/[0-9]*/ns/net | sort -t/ -k3,3n | xargs ls -Ulnq
  } | awk -v host="$HOST_NS" -v limit="$NAMESPACE_LIMIT" '
    /^l/ { path = ""; for (i = 1; i <= NF; i++) if ($i == "->") path = $(i - 1); inode = $NF; gsub(/[^0-9]/, "", inode) }
    /^mount/ { path = $2; inode = $3 }
    path == "" || inode == "" { next }
    /^mount/ { mounted[inode] = "netns:" substr(path, match(path, /[^\/]*$/)) }
    inode in paths { if (++candidates[inode] < 16) paths[inode] = paths[inode] " " path; next }
    ++count > limit { left++; next }
    { paths[inode] = path; order[count] = inode }
    END {
      for (i = 1; i <= (count < limit ? count : limit); i++) {
        inode = order[i]
        print inode, (inode == host ? "-" : inode in mounted ? mounted[inode] : "net:[" inode "]"), paths[inode]
      }
      if (left) print "left", left
    }'
}

# Calls a function once in each namespace: with the namespace's path as its first argument, its inode, its name, and then ours.
# We hold the namespace open meanwhile, so that it stays the same one although its processes come and go.
each_namespace() {
  action=$1
  shift
  printf '%s\n' "$(namespaces)" | while read -r inode name candidates; do
    if [ "$inode" = left ]; then
      # Not the paths of a namespace here, but how many there were beyond the limit.
      printf '@error %s network namespaces were left out\n' "$name"
    elif [ "$inode" = "$OWN_NS" ]; then
      "$action" - "$inode" "$name" "$@" </dev/null
    else
      entered=no
      for path in $candidates; do
        [ -r "$path" ] || continue
        # Opened to hold it, never read.
        # shellcheck disable=SC2094
        {
          [ "$(namespace_at /proc/self/fd/9)" = "$inode" ] || continue
          entered=yes
          [ "$name" = "net:[$inode]" ] && name=$(container_of "$path" "$name")
          "$action" /proc/self/fd/9 "$inode" "$name" "$@" </dev/null
        } 9<"$path"
        [ "$entered" = yes ] && break
      done
      # A namespace that is in no list any more has no sockets either.
      [ "$entered" = yes ] || case "$(namespaces)" in *"$inode "*) printf '@error network namespace %s could not be entered\n' "$inode" ;; esac
    fi
  done
}

namespace_at() { ls -Lniq "$1" | awk '{ print $1; exit }'; }

# A container engine puts its 64 hex digits into the cgroup's path; its users know the first twelve.
container_of() {
  awk -v name="$2" '
    { while (match($0, /[0-9a-f]+/)) { if (RLENGTH == 64) name = "container:" substr($0, RSTART, 12); $0 = substr($0, RSTART + RLENGTH) } }
    END { print name }' "${1%/ns/net}/cgroup"
}

# ------------------------------------------------------------------------------------------------------------------- listing

# Everything that is known about sockets and their owners, raw, for `flows` to read: two sources for each namespace, the tables under
# /proc and ss, which asks the kernel through netlink. `ls -q` and /proc/PID/status keep newlines in names from looking like ours.
snapshot() {
  printf '@owners\n'
  printf '%s\n' /proc/[0-9]*/status | xargs grep -sE '^(Name|PPid|Uid|NSpid|CapEff):' /dev/null
  printf '%s\n' /proc/[0-9]*/exe | xargs ls -lnq
  printf '%s\n' /proc/[0-9]*/fd | xargs ls -lnqR
  each_namespace tables_of
}

# Without IPv6 in the kernel there are fewer.
TABLES=$(for table in tcp tcp6 udp udp6 raw raw6 icmp icmp6 packet; do
  case $table in tcp | udp) found=yes ;; *) [ -r "/proc/self/net/$table" ] && found=yes || found=no ;; esac
  [ "$found" = no ] || printf '/proc/self/net/%s ' "$table"
done)

tables_of() {
  printf '@namespace %s %s\n' "$2" "$3"
  # shellcheck disable=SC2016,SC2086
  in_ns "$1" awk '
    FILENAME ~ /range$/ { print "@ports", $1, $2; next }
    FNR == 1 { n = split(FILENAME, part, "/"); print "@proc", part[n] }
    { print }' /proc/sys/net/ipv4/ip_local_port_range $TABLES || printf '@failed proc\n'
  [ -n "$SS" ] || return 0
  printf '@ss\n'
  in_ns "$1" "$SS" -tuwanei || printf '@failed ss\n'
  in_ns "$1" "$SS" -0ane
}

# The flows of a snapshot, one a line, fields parted by tabs:
#  1 kind: `flow`, `loose` (a UDP socket without a peer that nobody asked for), `agent` (exempt), `own` (from an address to itself),
#    `system` (a daemon's raw socket, or UDP socket without a peer), `error`, `note`, `source`
#  2 protocol  3 4 local address, port  5 6 remote address, port  7 opened by  8 pid  9 all owners  10 process  11 executable
#  12 namespace's name  13 its inode  14 sources  15 timer  16 socket's inode  17 bytes sent  18 received  19 seconds since the last
#  20 why it was asked for: `peer`, `pid`, `port`
# A raw or ping socket reaches any peer, whatever it is connected to, and it may need no peer at all: they all count. Field 4 is then the IP
# protocol (`packet` for AF_PACKET) or the ping's identifier, and field 16 tells one from another.
# A UDP socket without a peer (field 6 is 0) sends to whom it likes with each call, so it counts too; what it does is in no list.
#
# And of the processes behind the flows, each once, as many as `room` allows and none that is in `known`:
#  1 `process`  2 pid  3 parent  4 user  5 `named`, `owner`, `ancestor` or `descendant`  6 name  7 executable
#  1 `left`  2 how many there was no room for
#  1 `pids`  2 those of the processes, parted by blanks; the last row
#  1 `session`  2 pid of a remote session or of a descendant  3 executable  4 pid of the session
flows() {
  awk -v peers="$ADDRESSES" -v pids="$PIDS" -v ports="$PORTS" -v sessions="$AGENT_SESSIONS" -v room="$evidence_room" \
    -v known="$captured" -v endpoints="$AGENT_ENDPOINTS" '
    function hex(text,   i, n) {
      for (i = 1; i <= length(text); i++) n = n * 16 + index("0123456789abcdef", tolower(substr(text, i, 1))) - 1
      return n + 0
    }
    function dotted(text) {
      return hex(substr(text, 1, 2)) "." hex(substr(text, 3, 2)) "." hex(substr(text, 5, 2)) "." hex(substr(text, 7, 2))
    }
    # /proc prints an address as 32-bit words in the order of the machine; EC2 has little-endian machines only.
    function words(text,   i, out) {
      for (i = 1; i < length(text); i += 8)
        out = out substr(text, i + 6, 2) substr(text, i + 4, 2) substr(text, i + 2, 2) substr(text, i, 2)
      return tolower(out)
    }
    function address(raw,   text, i, g, n, at, best, start, out) {
      text = words(raw)
      if (length(text) == 8) return dotted(text)
      if (substr(text, 1, 24) == "00000000000000000000ffff") return dotted(substr(text, 25))
      for (i = 1; i <= 8; i++) { g[i] = substr(text, i * 4 - 3, 4); sub(/^0+/, "", g[i]); if (g[i] == "") g[i] = "0" }
      best = 1
      for (i = 1; i <= 8; i++) {
        if (g[i] != "0") { n = 0; continue }
        if (++n > best) { best = n; start = i - n + 1 }
      }
      for (i = 1; i <= 8; i++) {
        if (i == start) { out = out "::"; i += best - 1; continue }
        out = out (out == "" || out ~ /::$/ ? "" : ":") g[i]
      }
      return out
    }
    function canonical(text,   part, n) {
      sub(/%[^%]*$/, "", text); gsub(/[\[\]]/, "", text); sub(/%.*$/, "", text); text = tolower(text)
      if (text ~ /^::ffff:[0-9.]+$/ && text ~ /\./) return substr(text, 8)
      if (text == "*") return "0.0.0.0"
      return text
    }
    function port_of(text) { sub(/^.*:/, "", text); return text }
    function host_of(text) { sub(/:[^:]*$/, "", text); return canonical(text) }
    function clean(text, limit) { gsub(/[^ -~]/, "?", text); return substr(text, 1, limit) }
    function is_bare(protocol, rp) { return protocol == "raw" || protocol == "icmp" || (protocol == "udp" && rp == 0) }
    function add(protocol, la, lp, ra, rp, inode, source,   key, bare) {
      bare = is_bare(protocol, rp)
      if (!bare && (ra == "0.0.0.0" || ra == "::" || rp == 0 || ra ~ /^127\./ || ra == "::1")) return ""
      if (bare && protocol == "udp" && (la ~ /^127\./ || la == "::1")) return ""
      if (bare && (space, inode) in bare_key) key = bare_key[space, inode]
      else key = space SUBSEP protocol SUBSEP la SUBSEP lp SUBSEP ra SUBSEP rp SUBSEP (bare ? inode : "")
      if (bare && inode > 0) bare_key[space, inode] = key
      if (!(key in from)) { order[++total] = key; from[key] = source }
      else if (index(from[key], source) == 0) from[key] = from[key] "," source
      if (inode > 0) socket[key] = inode
      return key
    }
    BEGIN {
      n = split(peers, list, " "); for (i = 1; i <= n; i++) is_peer[canonical(list[i])] = 1
      n = split(pids, list, " "); for (i = 1; i <= n; i++) is_pid[list[i]] = 1
      n = split(ports, list, " "); for (i = 1; i <= n; i++) is_port[list[i]] = 1
      n = split(known, list, " "); for (i = 1; i <= n; i++) taken[list[i]] = 1
      n = split(endpoints, list, " "); for (i = 1; i <= n; i++) is_endpoint[list[i]] = 1
      # Daemons whose work needs raw or packet sockets, and the IP protocols they need: DHCP (packet), router and neighbour discovery (58),
      # echo before a lease is given (1), VRRP (112). Nobody needs ping sockets, and who is not here is listed. So with UDP sockets that have
      # no peer, by local port: DHCP (68, 546; 67 serves), NTP (123), DNS (53), rpcbind (111), LLMNR and mDNS (5355, 5353).
      sbin = "^(/usr)?/sbin/"; wicked = "^/usr/lib(exec)?/wicked/(bin/)?wickedd-"; systemd = "^(/usr)?/lib/systemd/systemd-"
      daemon[systemd "networkd$"] = daemon[sbin "NetworkManager$"] = " packet 58 udp:68 udp:546 "
      daemon[systemd "resolved$"] = " udp:5353 udp:5355 "
      daemon[sbin "dhclient$"] = " packet udp:* "
      daemon[wicked "dhcp4$"] = " packet udp:68 "
      daemon[wicked "dhcp6$"] = " packet 58 17 udp:546 "
      daemon[sbin "dhcpcd$"] = " packet 58 17 udp:68 udp:546 "
      daemon[sbin "dnsmasq$"] = " packet 1 58 udp:53 udp:67 "
      daemon[sbin "(chronyd|ntpd)$"] = " udp:123 "
      daemon[sbin "rpcbind$"] = " udp:111 "
      daemon[sbin "keepalived$"] = " packet 112 58 "
      daemon[sbin "radvd$"] = " 58 "
      # 01 established, 04 05 08 09 0B half closed. Not 02 and 03, which have no peer yet, nor 06, which can send no more.
      open_state = "|01|04|05|08|09|0B|"
      open_word = "|ESTAB|FIN-WAIT-1|FIN-WAIT-2|CLOSE-WAIT|LAST-ACK|CLOSING|"
      timer_word["01"] = "retransmission"; timer_word["02"] = "keepalive"; timer_word["04"] = "probe"
    }
    /^@owners/ { mode = "owners"; next }
    /^@namespace / { space = $2; label[space] = $3; mode = ""; next }
    /^@ports / { low = $2; high = $3; next }
    /^@proc / { mode = "proc"; table = $2; protocol = substr(table, 1, 3); seen_source["proc"] = 1; next }
    /^@ss/ { mode = "ss"; seen_source["ss"] = 1; next }
    /^@failed / { broken[$2]++; next }
    /^@error / { sub(/^@error /, ""); print "error\t" $0; next }

    mode == "owners" && /^\/proc\/[0-9]+\/status:/ {
      split($0, part, "/"); pid = part[3]
      rest = $0; sub(/^[^:]*:/, "", rest); what = rest; sub(/:.*/, "", what); sub(/^[^:]*:[ \t]*/, "", rest)
      if (what == "Name") name[pid] = clean(rest, 64)
      if (what == "PPid") parent[pid] = rest + 0
      if (what == "Uid") uid[pid] = rest + 0
      if (what == "CapEff") capable[pid] = rest !~ /^0+$/
      # One number for each process namespace, from ours inwards: more than one is a container.
      if (what == "NSpid") inside[pid] = rest ~ /[0-9][ \t]+[0-9]/
      next
    }
    mode == "owners" && /^\/proc\/[0-9]+\/fd:$/ { split($0, part, "/"); pid = part[3]; next }
    mode == "owners" && / \/proc\/[0-9]+\/exe -> / {
      rest = $0; sub(/^.* \/proc\//, "/proc/", rest)
      rest = $0; match(rest, / \/proc\/[0-9]+\/exe -> /)
      what = substr(rest, RSTART, RLENGTH); split(what, part, "/"); exe[part[3]] = clean(substr(rest, RSTART + RLENGTH), 128)
      next
    }
    mode == "owners" && / -> socket:\[[0-9]+\]$/ {
      inode = $NF; gsub(/[^0-9]/, "", inode)
      if (index("," owners[inode] ",", "," pid ",") == 0) owners[inode] = owners[inode] (owners[inode] == "" ? "" : ",") pid
      next
    }

    mode == "proc" && table == "packet" && $1 ~ /^[0-9a-f]+$/ { add("raw", "0.0.0.0", "packet", "0.0.0.0", 0, $9, "proc"); next }
    mode == "proc" && $1 ~ /^[0-9]+:$/ && table ~ /^(raw|icmp)/ {
      split($2, here, ":"); split($3, there, ":")
      add(table ~ /^raw/ ? "raw" : "icmp", address(here[1]), hex(here[2]), address(there[1]), 0, $10, "proc")
      next
    }
    mode == "proc" && $1 ~ /^[0-9]+:$/ {
      split($2, here, ":"); split($3, there, ":")
      lp = hex(here[2])
      if (protocol == "tcp" ? $4 == "0A" : hex(there[2]) == 0) {
        listening[space, protocol, lp] = 1; listener[$10] = 1
        if (protocol == "udp") { key = add("udp", address(here[1]), lp, address(there[1]), 0, $10, "proc"); ephemeral[key] = (lp >= low && lp <= high) }
        next
      }
      if (protocol == "udp" ? $4 != "01" : index(open_state, "|" $4 "|") == 0) next
      # What is left of a flow that was closed in good order: nobody holds it and nothing can be sent on it.
      if ($4 == "05" && $10 == 0) next
      key = add(protocol, address(here[1]), lp, address(there[1]), hex(there[2]), $10, "proc")
      if (key == "") next
      ephemeral[key] = (lp >= low && lp <= high)
      split($6, part, ":"); timer[key] = timer_word[part[1]]
      next
    }

    mode == "ss" && /^[a-z]/ && NF >= 6 {
      key = ""
      inode = 0; if (match($0, / ino:[0-9]+/)) inode = substr($0, RSTART + 5, RLENGTH - 5)
      if ($1 ~ /^(raw|icmp6|p_raw|p_dgr)$/) {
        # Without an inode it is no word of the kernel: an ss that cannot ask for raw sockets reads the same table under /proc.
        if (inode > 0 && $1 ~ /^p_/) add("raw", "0.0.0.0", "packet", "0.0.0.0", 0, inode, "ss")
        else if (inode > 0) add("raw", host_of($5), port_of($5), host_of($6), 0, inode, "ss")
        next
      }
      if ($1 == "udp" && $2 == "UNCONN") { add("udp", host_of($5), port_of($5), host_of($6), 0, inode, "ss"); next }
      if (($1 != "tcp" && $1 != "udp") || index(open_word, "|" $2 "|") == 0) next
      if ($2 == "FIN-WAIT-2" && inode == 0) next
      key = add($1, host_of($5), port_of($5), host_of($6), port_of($6), inode, "ss")
      if (key != "" && !(key in ephemeral)) ephemeral[key] = (port_of($5) >= low && port_of($5) <= high)
    }
    mode == "ss" && key != "" {
      for (i = 1; i <= NF; i++) {
        split($i, part, ":")
        if (part[1] == "bytes_sent" || (part[1] == "bytes_acked" && sent[key] == "")) sent[key] = part[2]
        else if (part[1] == "bytes_received") received[key] = part[2]
        else if ((part[1] == "lastsnd" || part[1] == "lastrcv") && (last[key] == "" || part[2] < last[key])) last[key] = part[2]
      }
    }

    # A container has its own files under the same paths, so its root is nobody here.
    function is_agent(pid) {
      if (uid[pid] != 0 || inside[pid]) return 0
      if (sessions == "close" && exe[pid] ~ /\/ssm-session-worker/) return 0
      return exe[pid] ~ /^(\/usr\/s?bin|\/snap\/amazon-ssm-agent\/[0-9x]+)\/(amazon-ssm-agent|ssm-agent-worker|ssm-session-worker|ssm-document-worker)( \(deleted\))?$/
    }
    # Below 1024 the port itself is a word of root; above, anybody could run such a daemon with a library of his own.
    function is_daemon(pid, use,   path, file) {
      if (uid[pid] >= 1000 || inside[pid]) return 0
      if (use ~ /^udp:/ && substr(use, 5) + 0 >= 1024 && !capable[pid]) return 0
      file = exe[pid]; sub(/ \(deleted\)$/, "", file)
      for (path in daemon)
        if (file ~ path && (index(daemon[path], " " use " ") || (use ~ /^udp:/ && index(daemon[path], " udp:* ")))) return 1
      return 0
    }
    function is_login(pid) {
      if (sessions == "close" && uid[pid] == 0 && exe[pid] ~ /\/ssm-session-worker( \(deleted\))?$/) return 1
      return exe[pid] ~ /\/(sshd|sshd-session|sshd-auth|dropbear|xrdp)( \(deleted\))?$/
    }
    function descends(pid,   steps) {
      for (steps = 0; pid > 0 && steps < 64; steps++) { if (pid in is_pid) return 1; pid = parent[pid] }
      return 0
    }
    function take(pid, role) {
      if (pid + 0 <= 1 || !(pid in name) || (pid in taken)) return
      taken[pid] = 1; line[++tree] = pid
      if (tree > room) { without++; return }
      pids_taken = pids_taken pid " "
      printf "process\t%s\t%s\t%s\t%s\t%s\t%s\n", pid, parent[pid], uid[pid], role, name[pid], exe[pid]
    }
    END {
      for (source in seen_source) if (!(source in broken)) print "source\t" source
      for (source in broken) print "error\t" source " could not be read in " broken[source] " places"
      for (i = 1; i <= total; i++) {
        key = order[i]; split(key, f, SUBSEP)
        bare = is_bare(f[2], f[6]); loose = bare && f[2] == "udp"
        kind = !bare && f[3] == f[5] ? "own" : "flow"; why = ""; first = ""; daemons = 0; login = ""
        n = split(owners[socket[key]], list, ",")
        for (j = 1; j <= n; j++) {
          if (is_agent(list[j])) kind = "agent"
          if ((f[2] == "raw" || loose) && is_daemon(list[j], (loose ? "udp:" : "") f[4])) daemons++
          if (first == "" || list[j] + 0 < first + 0) first = list[j]
          if (descends(list[j])) why = "pid"
        }
        if (f[5] in is_peer) why = "peer"
        if ((!bare || loose) && why == "" && ((f[4] in is_port) || (f[6] in is_port))) why = "port"
        if (loose && kind == "flow" && why == "") kind = "loose"
        # What is left of a probe of ours.
        if (n == 0 && ((f[5] "|" f[6]) in is_endpoint)) kind = "agent"
        if (n > 0 && daemons == n && why == "") {
          kind = "system"
          print "note\t" exe[first] " (process " first ") has a " (loose ? "UDP socket without a peer" : "raw or packet socket") ", as it needs: not closed"
        }
        opened = !loose && ((f[1], f[2], f[4]) in listening) ? "remote" : ephemeral[key] ? "instance" : "unknown"
        printf "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", kind, f[2], f[3], f[4], f[5], f[6], \
          opened, first, owners[socket[key]], name[first], exe[first], label[f[1]], f[1], from[key], timer[key], socket[key], \
          sent[key], received[key], (last[key] == "" ? "" : sprintf("%d", last[key] / 1000)), why
        if (kind != "flow") continue
        for (j = 1; j <= n; j++) {
          if (why != "") { if (!(list[j] in wanted)) asked[++askers] = list[j]; wanted[list[j]] = 1 }
          if (!(list[j] in holds)) holder[++holders] = list[j]
          holds[list[j]] = 1
          if ((opened == "remote" || exe[list[j]] ~ /ssm-session-worker/) && is_login(list[j])) logins[list[j]] = 1
        }
      }
      # Who accepts logins is no session, though a flow of his may be.
      for (inode in listener) { n = split(owners[inode], list, ","); for (j = 1; j <= n; j++) delete logins[list[j]] }
      for (pid in logins) print "session\t" pid "\t" exe[pid] "\t" pid
      if (room > 0) for (pid in is_pid) take(pid, "named")
      for (i = 1; room > 0 && i <= askers; i++) take(asked[i], "owner")
      for (i = 1; room > 0 && i <= holders; i++) take(holder[i], "owner")
      n = tree
      for (i = 1; i <= n; i++) {
        pid = parent[line[i]]
        for (j = 0; pid > 1 && j < 64; j++) { take(pid, "ancestor"); pid = parent[pid] }
      }
      # Whose ancestor was taken or logged in: one way up for each process.
      for (pid in name) {
        up = parent[pid]; below = 0
        for (j = 0; up > 1 && j < 64; j++) {
          if ((up in holds) || (up in is_pid)) below = 1
          if ((up in logins) && !(pid in logins)) print "session\t" pid "\t" exe[pid] "\t" up
          up = parent[up]
        }
        if (below && room > 0) take(pid, "descendant")
      }
      if (without) print "left\t" without
      print "pids\t" pids_taken
    }'
}

# $1 rows, $2 kind
count() { printf '%s\n' "$1" | awk -F'\t' -v kind="$2" '$1 == kind { n++ } END { print n + 0 }'; }

# ------------------------------------------------------------------------------------------------------------------- closing

# Closes every socket with a peer in every namespace, but loopback, those of an address with itself, and the agent's, which the rows name.
# One call each for TCP, UDP and raw sockets: a filter of exemptions is short, a list of 20,000 flows is not.
# The kernel sends the peer a reset for each TCP socket, which also ends the entry in a security group's connection tracking.
close_sockets() {
  [ -n "$SS" ] || return 0
  each_namespace close_in "$1" >/dev/null
}

close_in() {
  filter=$(printf '%s\n' "$4" | awk -F'\t' -v inode="$2" '
    function literal(text) { return text ~ /:/ ? "[" text "]" : text }
    BEGIN { printf "not dst 127.0.0.0/8 and not dst [::1]" }
    $13 != inode { next }
    $1 == "own" && !($3 in seen) { seen[$3]; printf " and not ( src %s and dst %s )", literal($3), literal($3) }
    $1 == "agent" { printf " and not ( src %s and sport = :%s and dst %s and dport = :%s )", literal($3), $4, literal($5), $6 }')
  # `state connected` would take TIME-WAIT too, and there is nothing to close there.
  in_ns "$1" "$SS" -K -tn state established state syn-sent state syn-recv state fin-wait-1 state fin-wait-2 \
    state close-wait state last-ack state closing "$filter" >/dev/null
  in_ns "$1" "$SS" -K -un state established "$filter" >/dev/null
  close_loose "$1" "$2" "$4"
  case $4 in *"flow	raw	"*) ;; *) return ;; esac
  # No filter of ss tells one raw socket from another but by its IP protocol: a protocol that a daemon needs is left to stop_owners.
  bare_filter=$(printf '%s\n' "$4" | awk -F'\t' -v inode="$2" '$1 == "system" && $13 == inode && $4 ~ /^[0-9]+$/ {
    printf "%snot sport = :%s", n++ ? " and " : "", $4 }')
  in_ns "$1" "$SS" -K -wan ${bare_filter:+"$bare_filter"} >/dev/null
}

# A UDP socket without a peer lives on when it is closed this way, but it loses a port that the kernel chose for it: what it sends next is
# a new flow, which a group judges anew. One that serves on a port of its own would only see an error.
close_loose() {
  case $3 in *"	udp	"*) ;; *) return ;; esac
  loose_filter=$(printf '%s\n' "$3" | awk -F'\t' -v inode="$2" -v range="$(in_ns "$1" cat /proc/sys/net/ipv4/ip_local_port_range)" '
    $13 != inode || $2 != "udp" || $6 != 0 { next }
    $1 == "flow" || $1 == "loose" { found = 1 }
    $1 == "agent" || $1 == "system" { kept = kept sprintf(" and not sport = :%s", $4) }
    END {
      if (!found || split(range, port, " ") != 2) exit
      printf "not src 127.0.0.0/8 and not src [::1] and sport >= :%s and sport <= :%s%s", port[1], port[2], kept
    }')
  [ -z "$loose_filter" ] || in_ns "$1" "$SS" -K -un state unconnected "$loose_filter" >/dev/null
}

link_of() { ls -lnq "$1" | awk '{ sub(/^.* -> /, ""); print; exit }'; }

parent_of() { awk '$1 == "PPid:" { print $2; exit }' "/proc/$1/status"; }

# Ourselves, the agent that started us, and init.
own_tree() {
  pid=$$
  while [ -n "$pid" ] && [ "$pid" -gt 0 ]; do
    printf ' %s ' "$pid"
    pid=$(parent_of "$pid")
  done
}

# $1 pid, $2 its executable, read by the caller: a process that ends meanwhile has none any more, and shall not pass for a kernel thread,
# which never has one.
is_protected() {
  [ "$1" -gt 1 ] || return 0
  case $OWN_TREE in *" $1 "*) return 0 ;; esac
  [ -n "$2" ] || return 0
  # A container's files under these paths are its own.
  awk '$1 == "NSpid:" && NF > 2 { found = 1 } END { exit !found }' "/proc/$1/status" && return 1
  case $2 in
    /usr/bin/ssm-session-worker | /usr/sbin/ssm-session-worker | /snap/amazon-ssm-agent/*/ssm-session-worker)
      [ "$AGENT_SESSIONS" = keep ] && return 0 ;;
    /usr/bin/amazon-ssm-agent* | /usr/sbin/amazon-ssm-agent* | /snap/amazon-ssm-agent/*) return 0 ;;
    /usr/bin/ssm-*-worker* | /usr/sbin/ssm-*-worker*) return 0 ;;
    /usr/lib/systemd/* | /lib/systemd/* | /sbin/init | /usr/sbin/init) return 0 ;;
  esac
  return 1
}

# Reads rows of sockets that outlived a close: stops each owner first, so that none can react, and kills only where that is opted in.
# Prints `stopped PID`, `killed PID`, `left PID`.
stop_owners() {
  [ "$SURVIVORS" = leave ] && return
  printf '%s\n' "$1" | awk -F'\t' '$1 == "flow" && $16 != "" { n = split($9, pid, ","); for (i = 1; i <= n; i++) if (!(pid[i] in seen)) { seen[pid[i]]; print pid[i], $16 } }' | {
    halted=''
    while read -r pid inode; do
      executable=$(link_of "/proc/$pid/exe")
      # The pid may have passed to another process since it was listed.
      ls -lnq "/proc/$pid/fd" | grep -q "socket:\[$inode\]" || continue
      if is_protected "$pid" "$executable"; then
        printf 'left %s\n' "$pid"
      elif kill -STOP "$pid"; then
        printf 'stopped %s\n' "$pid"
        halted="$halted $pid"
      fi
    done
    [ "$SURVIVORS" = kill ] || exit 0
    for pid in $halted; do kill -KILL "$pid" && printf 'killed %s\n' "$pid"; done
  }
}

# Ends the remote sessions of the first look: what logind knows of, then whoever held the socket of a login, and his descendants, stopped
# first so that none can start another. Prints `killed PID`, and `ended` for each session.
end_sessions() {
  LOGINCTL=$(tool loginctl)
  leaders=' '
  if [ -n "$LOGINCTL" ] && [ -n "$TIMEOUT" ]; then
    for id in $("$TIMEOUT" 2 "$LOGINCTL" list-sessions --no-legend --no-pager | awk '$1 ~ /^[A-Za-z0-9]+$/ && NR <= 32 { print $1 }'); do
      leader=$("$TIMEOUT" 2 "$LOGINCTL" show-session "$id" -p Remote -p Leader | awk -F= '
        $1 == "Remote" { remote = $2 == "yes" } $1 == "Leader" { leader = $2 + 0 } END { if (remote) print leader }')
      [ -n "$leader" ] || continue
      case $OWN_TREE in *" $leader "*) continue ;; esac
      "$TIMEOUT" 2 "$LOGINCTL" terminate-session "$id" && printf 'ended %s\n' "$leader" && leaders="$leaders$leader "
    done
  fi
  printf '%s\n' "$1" | awk -F'\t' '$1 == "session" { print $2, $4, $3 }' | {
    halted=''
    while read -r pid session listed; do
      same=no
      executable=$(link_of "/proc/$pid/exe")
      # The pid may have passed to another process since it was listed.
      [ "$(printf '%s\n' "$executable" | tr -c ' -~\n' '?' | cut -c 1-128)" = "$listed" ] && same=yes
      [ "$same" = yes ] && is_protected "$pid" "$executable" && continue
      [ "$same" = yes ] && kill -STOP "$pid" && halted="$halted $pid"
      # Many end with their socket. To logind the leader is sshd's first process, and that one's child holds the socket.
      [ "$pid" = "$session" ] || continue
      case $leaders in *" $pid "* | *" $(parent_of "$pid") "*) ;; *) printf 'ended %s\n' "$pid" ;; esac
    done
    for pid in $halted; do kill -KILL "$pid" && printf 'killed %s\n' "$pid"; done
  }
}

# ------------------------------------------------------------------------------------------------------------------ evidence

# What will be gone once the processes are: command lines, folders, open files, raw, for `describe` to read. Prints as little as can be done
# before anything is closed. An argument may lie on a file system of the attacker's that never answers: hence the time limit.
capture() {
  set --
  for pid in $fresh_pids; do set -- "$@" "/proc/$pid/cmdline"; done
  printf '@commands\n'
  "$TIMEOUT" -k 1 1 grep -saHm4 '' /dev/null "$@" | tr '\000' ' ' | cut -b 1-600
  set --
  for pid in $fresh_pids; do set -- "$@" "/proc/$pid/cwd" "/proc/$pid/fd"; done
  printf '\n@files\n'
  ls -lnq "$@"
  printf '\n'
}

# stdin: rows, then what was captured. Prints the rows of the processes with these behind them:
#  8 command line  9 folder  10 number of descriptors  11 open files, parted by a bar
describe() {
  awk -F'\t' '
    function clean(text, limit) { gsub(/[^ -~]/, "?", text); return substr(text, 1, limit) }
    /^@commands$/ { mode = "commands"; next }
    /^@files$/ { mode = "files"; next }
    mode == "" { if ($1 == "process" && !($2 in row)) { order[++n] = $2; row[$2] = $0 } next }
    mode == "commands" && match($0, /^\/proc\/[0-9]+\/cmdline:/) {
      split($0, part, "/"); pid = part[3]; text = substr($0, RLENGTH + 1)
      command[pid] = command[pid] (command[pid] == "" ? "" : " ") text
      next
    }
    mode == "files" && /^\/proc\/[0-9]+\/fd:$/ { split($0, part, "/"); pid = part[3]; next }
    mode == "files" && match($0, / \/proc\/[0-9]+\/cwd -> /) {
      split(substr($0, RSTART, RLENGTH), part, "/"); folder[part[3]] = clean(substr($0, RSTART + RLENGTH), 128); next
    }
    mode == "files" && match($0, / [0-9]+ -> /) {
      target = clean(substr($0, RSTART + RLENGTH), 128); gsub(/[|]/, "?", target); descriptors[pid]++
      if (target !~ /^(socket|pipe|anon_inode):/ && target !~ /^\/dev\/(null|zero|urandom|random)$/ && files[pid] < 8 && !((pid, target) in seen)) {
        seen[pid, target] = 1; files[pid]++; open[pid] = open[pid] (open[pid] == "" ? "" : "|") target
      }
    }
    END {
      for (i = 1; i <= n; i++) {
        pid = order[i]; text = command[pid]; sub(/ +$/, "", text)
        printf "%s\t%s\t%s\t%s\t%s\n", row[pid], clean(text, 256), folder[pid], descriptors[pid], open[pid]
      }
    }'
}

# The executables are opened as the close begins, so what is hashed is there although its process ends meanwhile, and read after it.
# Prints `hash PID SHA-256`, parted by tabs.
hash_executables() {
  # shellcheck disable=SC2016,SC2086
  "$TIMEOUT" -k 1 6 sh -c '
    for pid; do
      { sleep 0.6 || sleep 1; sum=$(nice sha256sum) && printf "hash\t%s\t%s\n" "$pid" "${sum%% *}"; } <"/proc/$pid/exe" &
    done
    wait' sh $fresh_pids
}

# Takes what is known of the processes behind the rows, before anything is closed or killed.
gather() {
  fresh_pids=${1##*pids	}
  [ -n "$fresh_pids" ] && [ -n "$TIMEOUT" ] || return 0
  gathered="$gathered$(capture)
"
  captured="$captured$fresh_pids"
  [ -z "$SHA256SUM" ] || hash_executables &
  # shellcheck disable=SC2086
  set -- $captured
  evidence_room=$((EVIDENCE - $#))
}

# ------------------------------------------------------------------------------------------------------------------ firewall

TABLE=flowcut_$CASE_ID

of_family() {
  family=$1
  shift
  for address in "$@"; do
    case $family$address in 4*:*) ;; 4*) printf '%s ' "$address" ;; 6*:*) printf '%s ' "$address" ;; esac
  done
}

elements() { printf '%s' "$*" | awk '{ $1 = $1; gsub(/ /, ", "); print }'; }

# The whole table in one transaction; a second run flushes the chains and writes them anew, so nothing is ever doubled or missing.
# Resets may leave: they are how a peer, and the tracking in between, learn that a socket was closed. TCP is answered with a reset, which
# closes what `ss -K` could not at its next packet. Drop is the fallback where the kernel lacks reject.
nft_rules() {
  # shellcheck disable=SC2086
  denied_four=$(of_family 4 $ADDRESSES)
  # shellcheck disable=SC2086
  denied_six=$(of_family 6 $ADDRESSES)
  printf 'add table inet %s\n' "$TABLE"
  printf 'add set inet %s peers4 { type ipv4_addr ; }\nadd set inet %s peers6 { type ipv6_addr ; }\n' "$TABLE" "$TABLE"
  printf 'add set inet %s agent4 { type ipv4_addr ; }\nadd set inet %s agent6 { type ipv6_addr ; }\n' "$TABLE" "$TABLE"
  for chain in deny peers rest_in rest_out; do printf 'add chain inet %s %s\nflush chain inet %s %s\n' "$TABLE" "$chain" "$TABLE" "$chain"; done
  for hook in input output forward; do
    printf 'add chain inet %s %s { type filter hook %s priority -10 ; policy accept ; }\nflush chain inet %s %s\n' \
      "$TABLE" "$hook" "$hook" "$TABLE" "$hook"
  done
  [ "$1" = reject ] && printf 'add rule inet %s deny meta l4proto tcp reject with tcp reset\n' "$TABLE"
  printf 'add rule inet %s deny drop\n' "$TABLE"
  printf 'add rule inet %s peers tcp flags & rst == rst accept\n' "$TABLE"
  for match in 'ip saddr @peers4' 'ip daddr @peers4' 'ip6 saddr @peers6' 'ip6 daddr @peers6'; do
    printf 'add rule inet %s peers %s goto deny\n' "$TABLE" "$match"
  done
  printf 'add rule inet %s input iifname lo accept\nadd rule inet %s output oifname lo accept\n' "$TABLE" "$TABLE"
  for hook in input output forward; do printf 'add rule inet %s %s jump peers\n' "$TABLE" "$hook"; done
  [ "$MODE" = quarantine ] && quarantine_rules
  [ -n "$denied_four" ] && printf 'add element inet %s peers4 { %s }\n' "$TABLE" "$(elements "$denied_four")"
  [ -n "$denied_six" ] && printf 'add element inet %s peers6 { %s }\n' "$TABLE" "$(elements "$denied_six")"
  return 0
}

# Quarantine: nothing passes but the agent (its peers of this moment, and what root needs to find them again), DHCP and
# neighbour discovery, without which the agent's path would die too.
quarantine_rules() {
  for pair in "in s" "out d"; do
    chain=rest_${pair% *} side=${pair#* }
    port=$([ "$side" = s ] && printf sport || printf dport)
    printf 'add rule inet %s %s ip %saddr @agent4 tcp %s 443 accept\n' "$TABLE" "$chain" "$side" "$port"
    printf 'add rule inet %s %s ip6 %saddr @agent6 tcp %s 443 accept\n' "$TABLE" "$chain" "$side" "$port"
    printf 'add rule inet %s %s udp %s { 67, 547 } accept\n' "$TABLE" "$chain" "$port"
    printf 'add rule inet %s %s icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept\n' "$TABLE" "$chain"
  done
  printf 'add rule inet %s rest_in ip saddr 169.254.169.254 tcp sport 80 accept\n' "$TABLE"
  printf 'add rule inet %s rest_out meta skuid 0 ip daddr 169.254.169.254 tcp dport 80 accept\n' "$TABLE"
  printf 'add rule inet %s rest_in meta l4proto { tcp, udp } th sport 53 ct state established accept\n' "$TABLE"
  printf 'add rule inet %s rest_out meta skuid 0 meta l4proto { tcp, udp } th dport 53 accept\n' "$TABLE"
  for chain in rest_in rest_out; do printf 'add rule inet %s %s goto deny\n' "$TABLE" "$chain"; done
  printf 'add rule inet %s input jump rest_in\nadd rule inet %s output jump rest_out\nadd rule inet %s forward goto deny\n' "$TABLE" "$TABLE" "$TABLE"
  # shellcheck disable=SC2086
  four=$(of_family 4 $AGENT_PEERS) six=$(of_family 6 $AGENT_PEERS)
  [ -n "$four" ] && printf 'add element inet %s agent4 { %s }\n' "$TABLE" "$(elements "$four")"
  [ -n "$six" ] && printf 'add element inet %s agent6 { %s }\n' "$TABLE" "$(elements "$six")"
}

nft_deny() {
  rules=$(nft_rules reject)
  printf '%s\n' "$rules" | in_ns "$1" "$NFT" -f - >/dev/null && return
  rules=$(nft_rules drop)
  printf '%s\n' "$rules" | in_ns "$1" "$NFT" -f - >/dev/null
}

# Every rule carries the case in its comment. Resets pass, for the reason above.
iptables_deny() {
  for address in $ADDRESSES; do
    case $address in *:*) command=$IP6TABLES ;; *) command=$IPTABLES ;; esac
    [ -n "$command" ] || continue
    for place in 'INPUT -s' 'OUTPUT -d' 'FORWARD -s' 'FORWARD -d'; do
      chain=${place% *} side=${place#* }
      iptables_insert "$1" "$command" "$chain" "$side" "$address" '! -p tcp' '-j DROP'
      iptables_insert "$1" "$command" "$chain" "$side" "$address" '-p tcp -m tcp ! --tcp-flags RST RST' '-j REJECT --reject-with tcp-reset' ||
        iptables_insert "$1" "$command" "$chain" "$side" "$address" '-p tcp -m tcp ! --tcp-flags RST RST' '-j DROP'
    done
  done
}

# shellcheck disable=SC2086
iptables_insert() {
  in_ns "$1" "$2" -w -C "$3" "$4" "$5" $6 -m comment --comment "$TABLE" $7 >/dev/null ||
    in_ns "$1" "$2" -w -I "$3" 1 "$4" "$5" $6 -m comment --comment "$TABLE" $7 >/dev/null
}

iptables_undo() {
  for command in $IPTABLES $IP6TABLES; do
    in_ns "$1" "$command" -w -S | tr -d '"' | awk -v name="$TABLE" '
      $1 == "-A" { for (i = 2; i < NF; i++) if ($i == "--comment" && $(i + 1) == name) { $1 = "-D"; print; next } }' | while read -r rule; do
      # The line is iptables' own, split as it printed it.
      # shellcheck disable=SC2086
      in_ns "$1" "$command" -w $rule >/dev/null
    done
  done
}

nft_has() {
  case $2 in *:*) set_name=peers6 ;; *) set_name=peers4 ;; esac
  in_ns "$1" "$NFT" get element inet "$TABLE" "$set_name" "{ $2 }" >/dev/null && return
  # An nft of before 2018 cannot get one element.
  in_ns "$1" "$NFT" list set inet "$TABLE" "$set_name" | tr ',{}' '   ' | tr -s ' \t' '\n' | grep -qxF "$2"
}

nft_hooked() {
  in_ns "$1" "$NFT" list table inet "$TABLE" | awk -v mode="$MODE" '
    /hook (input|output|forward)/ || /jump peers/ { n++ }
    mode == "quarantine" && /jump rest_(in|out)/ { n++ }
    END { exit n < (mode == "quarantine" ? 8 : 6) }'
}

iptables_has() {
  case $2 in *:*) command=$IP6TABLES ;; *) command=$IPTABLES ;; esac
  [ -n "$command" ] || return 1
  in_ns "$1" "$command" -w -S | tr -d '"' | awk -v name="$TABLE" -v address="$2" '
    index($0, "--comment " name " ") { for (i = 1; i < NF; i++) if (($i == "-s" || $i == "-d") && index($(i + 1), address "/") == 1) n++ }
    END { exit n < 8 }'
}

# What the namespace's own firewall says, not what we told it.
firewall_in() {
  if [ -n "$NFT" ] && nft_hooked "$1"; then
    for address in $ADDRESSES; do nft_has "$1" "$address" || { printf none; return; }; done
    printf nftables
  elif [ -n "$IPTABLES$IP6TABLES" ] && [ -n "$ADDRESSES" ]; then
    for address in $ADDRESSES; do iptables_has "$1" "$address" || { printf none; return; }; done
    printf iptables
  else
    printf none
  fi
}

deny() {
  [ -n "$ADDRESSES" ] || [ "$MODE" = quarantine ] || return 0
  # Containers are reached twice: by the host's FORWARD, and in their own namespace, since an interface may have been moved into it.
  each_namespace deny_in >/dev/null
}

deny_in() { { [ -n "$NFT" ] && nft_deny "$1"; } || { [ "$MODE" = peers ] && iptables_deny "$1"; }; }

undo_in() {
  [ -z "$NFT" ] || in_ns "$1" "$NFT" delete table inet "$TABLE" >/dev/null
  iptables_undo "$1"
}

# ------------------------------------------------------------------------------------------------------------------ printing

# Rows of what the verdict says beside counts. $1 how the firewall holds.
settings() {
  printf 'set\t%s\t%s\n' firewall "$1" errors "$errors" notes "$notes" stopped "$stopped" killed "$killed" denied "$ADDRESSES" \
    sessions "$ended" peer "$peer_probe" agent "$agent_probe"
}

# stdin: rows, those of the last look after a row `now`. Listed, closed and so on are counted here.
report() {
  awk -F'\t' -v verb="$VERB" -v id="$CASE_ID" -v limit="$OUTPUT_LIMIT" '
    function quote(text) { gsub(/[^ -~]/, "?", text); gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); return "\"" text "\"" }
    function text_or_null(text, most) { return text == "" ? "null" : quote(substr(text, 1, most)) }
    function number_or_null(text) { return text ~ /^[0-9]+$/ ? text : "null" }
    function list(text, parting, most,   n, i, item, out, count) {
      n = split(text, item, parting)
      for (i = 1; i <= n; i++) if (item[i] != "" && count < most) { count++; out = out (count > 1 ? "," : "") quote(substr(item[i], 1, 120)) }
      return "[" out "]"
    }
    function size_of(line) { return length(line) + 1 }
    function numbers(text,   n, i, item, out, count) {
      n = split(text, item, " ")
      for (i = 1; i <= n; i++) if (count < 64) { count++; out = out (count > 1 ? "," : "") item[i] }
      return "[" out "]"
    }
    $1 == "set" { set[$2] = $3; next }
    $1 == "process" && NF > 7 { if (!($2 in about)) { pids[++found] = $2; about[$2] = $0 } next }
    $1 == "hash" { hash[$2] = $3; next }
    $1 == "left" { if (!look && without == "") without = $2; next }
    $1 == "now" { look = 1; next }
    $1 == "source" { if (look && index(sources, $2) == 0) sources = sources " " $2; next }
    $1 == "error" || $1 == "note" { if (!(($1, $2) in said)) { said[$1, $2]; more[$1] = more[$1] $2 "|" } next }
    $1 != "flow" && $1 != "loose" { next }
    {
      is_loose = $2 == "udp" && $6 == 0
      # Its port may be another one at every look.
      key = $13 SUBSEP $2 SUBSEP $3 SUBSEP (is_loose ? "" : $4) SUBSEP $5 SUBSEP $6 SUBSEP ($2 ~ /^(raw|icmp)$/ || is_loose ? $16 : "")
      if (!(key in row)) { row[key] = $0; order[++total] = key }
      if (is_loose && !(key in loose)) { loose[key] = 1; peerless++ }
      if (look) { open[key] = 1; row[key] = $0 }
    }
    END {
      for (i = 1; i <= total; i++) if (order[i] in open) { if (order[i] in loose) doubtful++; else survived++ }
      cutting = verb == "cut"
      if (peerless) more["note"] = (peerless == 1 ? "1 UDP socket has no peer: no list tells whom it speaks" : peerless " UDP sockets have no peer: no list tells whom they speak") " to|" more["note"]
      tail = sprintf("\"closed\":%d,\"survived\":%d,\"sources\":%s,\"firewall\":\"%s\",\"errors\":%s,\"notes\":%s,\"stopped\":%s,\"killed\":%s,\"denied\":%s", \
        cutting ? total - survived - doubtful : 0, cutting || verb == "verify" ? survived : 0, list(sources, " ", 4), set["firewall"], \
        list(set["errors"] more["error"], "[|]", 10), list(set["notes"] more["note"], "[|]", 10), numbers(set["stopped"]), numbers(set["killed"]), list(set["denied"], " ", 64))
      if (cutting) tail = tail sprintf(",\"sessionsEnded\":%d,\"probes\":{\"peer\":\"%s\",\"agent\":\"%s\"}", set["sessions"], set["peer"], set["agent"])
      left = limit - length(tail) - length(id) - 180
      # What matters most first: survivors, then what was asked for, then the rest.
      for (rank = 1; rank <= 4; rank++) for (i = 1; i <= total; i++) {
        key = order[i]; split(row[key], f, "\t")
        is_open = key in open
        # One of those without a peer is told in any case, so that the doubt is not among what is left out.
        if (key in loose && first == "") first = key
        if (rank != (cutting && is_open && !(key in loose) ? 1 : f[20] != "" || key == first ? 2 : f[7] != "remote" && !(key in loose) ? 3 : 4)) continue
        bare = f[2] == "raw" || f[2] == "icmp"
        line = sprintf("{\"v\":1,\"kind\":\"flow\",\"protocol\":\"%s\",\"localAddress\":%s,\"localPort\":%s,\"remoteAddress\":%s,\"remotePort\":%s,\"openedBy\":\"%s\",\"pid\":%s,\"process\":%s,\"namespace\":%s,\"after\":\"%s\"", \
          f[2], quote(f[3]), bare ? "null" : number_or_null(f[4]), quote(f[5]), bare || key in loose ? "null" : number_or_null(f[6]), f[7], number_or_null(f[8]), text_or_null(f[10], 64), \
          f[12] == "-" ? "null" : text_or_null(f[12], 64), !is_open ? "gone" : key in loose ? "unknown" : "open")
        line = line sprintf(",\"executable\":%s,\"timer\":%s,\"bytesSent\":%s,\"bytesReceived\":%s,\"lastActivitySeconds\":%s,\"asked\":%s,\"seenBy\":%s%s}", \
          text_or_null(f[11], 128), text_or_null(f[15], 16), number_or_null(f[17]), number_or_null(f[18]), number_or_null(f[19]), text_or_null(f[20], 8), list(f[14], ",", 2), \
          f[2] == "raw" ? ",\"ipProtocol\":" number_or_null(f[4]) : "")
        lines[++count] = line; size += length(line) + 1
      }
      for (i = 1; i <= found; i++) {
        split(about[pids[i]], f, "\t")
        line = sprintf("{\"v\":1,\"kind\":\"evidence\",\"pid\":%s,\"parentPid\":%s,\"userId\":%s,\"role\":\"%s\",\"process\":%s,\"executable\":%s,\"sha256\":%s,\"commandLine\":%s,\"directory\":%s,\"descriptors\":%s,\"openFiles\":%s}", \
          f[2], number_or_null(f[3]), number_or_null(f[4]), f[5], text_or_null(f[6], 64), text_or_null(f[7], 128), text_or_null(hash[f[2]], 64), \
          text_or_null(f[8], 256), text_or_null(f[9], 128), number_or_null(f[10]), list(f[11], "[|]", 8))
        evidence[i] = line; weight += length(line) + 1
      }
      # Flows go before processes. Where not even they fit, some room is kept: the list is not whole then anyway.
      kept = size <= left ? 0 : weight < 3000 ? weight : 3000
      for (i = 1; i <= count && size_of(lines[i]) <= left - kept; i++) { left -= size_of(lines[i]); printed++; print lines[i] }
      for (i = 1; i <= found && size_of(evidence[i]) <= left; i++) { left -= size_of(evidence[i]); shown++; print evidence[i] }
      if (cutting) tail = tail sprintf(",\"processes\":%d,\"processesOmitted\":%d", shown, found - shown + without)
      printf "{\"v\":1,\"kind\":\"verdict\",\"verb\":\"%s\",\"caseId\":\"%s\",\"listed\":%d,\"omitted\":%d,%s}\n", verb, id, total, total - printed, tail
    }'
}

# --------------------------------------------------------------------------------------------------------------------- verbs

look() { snapshot | flows; }

main_list() {
  rows=$(look)
  tamper_notes
  state=$(firewall_in "$HOST_PATH")
  if [ "$VERB" = verify ] && [ -n "$ADDRESSES" ] && [ "$state" = none ]; then
    note 'the host firewall does not hold the addresses: its rules do not survive a restart'
  fi
  { printf 'now\n'; printf '%s\n' "$rows"; settings "$state"; } | report
}

tamper_notes() {
  [ -s /etc/ld.so.preload ] && note '/etc/ld.so.preload is not empty: the tools of this host may be made to lie'
  return 0
}

# Addresses that the agent itself talks to are never denied: that would cut the line that this command came by.
spare_the_agent() {
  AGENT_PEERS=$(printf '%s\n' "$1" | awk -F'\t' '$1 == "agent" && !($5 in seen) { seen[$5]; printf "%s ", $5 }')
  AGENT_ENDPOINTS=$(printf '%s\n' "$1" | awk -F'\t' '$1 == "agent" && $2 == "tcp" && !(($5, $6) in seen) { seen[$5, $6]; printf "%s|%s ", $5, $6 }')
  kept=''
  for address in $ADDRESSES; do
    case " $AGENT_PEERS " in
      *" $address "*) fail "$address is an endpoint of the agent: not denied on the host" ;;
      *) kept="$kept $address" ;;
    esac
  done
  ADDRESSES=${kept# }
}

# Peers of flows that the instance opened again after the first close. They join the denied.
dialled_again() {
  { printf '%s\n' "$1"; printf 'now\n'; printf '%s\n' "$2"; } | awk -F'\t' '
    $1 == "now" { look = 1; next }
    $1 != "flow" { next }
    !look { known[$13, $2, $3, $4, $5, $6]; next }
    $7 != "remote" && $5 != "0.0.0.0" && $5 != "::" && !(($13, $2, $3, $4, $5, $6) in known) && !($5 in seen) { seen[$5]; printf "%s ", $5 }'
}

# Flows in both lists, so that a close between the two did not reach them.
stubborn() {
  { printf '%s\n' "$1"; printf 'now\n'; printf '%s\n' "$2"; } | awk -F'\t' '
    $1 == "now" { look = 1; next }
    $1 != "flow" { next }
    { key = $2 == "udp" && $6 == 0 ? $13 SUBSEP $16 : $13 SUBSEP $2 SUBSEP $3 SUBSEP $4 SUBSEP $5 SUBSEP $6 SUBSEP $16 }
    !look { known[key]; next }
    key in known'
}

# Can a TCP connection be made? 0 yes, 1 no, 2 nothing here can tell.
can_dial() {
  [ -n "$TIMEOUT" ] || return 2
  if [ -n "$(tool bash)" ]; then
    # shellcheck disable=SC2016
    said=$("$TIMEOUT" 1 "$(tool bash)" -c ': <"/dev/tcp/$0/$1"' "$1" "$2" 2>&1)
  elif [ -n "$(tool python3)" ]; then
    said=$("$TIMEOUT" 1 "$(tool python3)" -I -c 'import socket, sys; socket.create_connection(sys.argv[1:3]).close()' "$1" "$2" 2>&1)
  else
    return 2
  fi
  case $? in 0) return 0 ;; 124 | 143) return 1 ;; esac
  # A shell without /dev/tcp fails too, and knows nothing.
  case $said in *refused* | *unreachable* | *'timed out'* | *'No route'* | *reset* | *'not permitted'*) return 1 ;; esac
  return 2
}

# Which of the agent's endpoints can be reached? Two are asked: where neither answers there is nothing to compare with later.
find_endpoint() {
  # shellcheck disable=SC2086
  set -- $AGENT_ENDPOINTS
  for endpoint in "${1:-}" "${2:-}"; do
    [ -n "$endpoint" ] && can_dial "${endpoint%|*}" "${endpoint#*|}" && agent_endpoint=$endpoint && return
  done
}

agent_reachable() { can_dial "${agent_endpoint%|*}" "${agent_endpoint#*|}" || can_dial "${agent_endpoint%|*}" "${agent_endpoint#*|}"; }

# The agent's line is how this is undone and how the next command comes: a deny of ours that cuts it is taken back.
probe_agent() {
  [ -n "$agent_endpoint" ] || return
  agent_probe=reachable
  agent_reachable && return
  if [ "$MODE" = quarantine ]; then
    MODE=peers
    each_namespace deny_in >/dev/null
    fail 'the agent could not reach its endpoint in quarantine: quarantine taken back, addresses still denied'
    agent_reachable && return
  fi
  each_namespace undo_in >/dev/null
  ADDRESSES=''
  fail 'the agent could not reach its endpoint behind the deny: the deny on this host is taken back'
  agent_reachable || agent_probe=unreachable
}

# One connection to a denied peer that the host had dialled before: it must fail. Nothing is sent where nothing is denied.
probe_peer() {
  target=$(printf '%s\n' "$1" | awk -F'\t' -v mode="$MODE" -v addresses=" $ADDRESSES " '
    $1 == "flow" && $2 == "tcp" && $7 == "instance" && $12 == "-" && (mode == "quarantine" || index(addresses, " " $5 " ")) { print $5, $6; exit }')
  [ -n "$target" ] && [ "$HOST_PATH" = - ] || return
  can_dial "${target% *}" "${target#* }"
  case $? in
    0) peer_probe=reachable state=none; fail "${target% *} can still be reached from this host" ;;
    1) peer_probe=unreachable ;;
  esac
}

# Says nothing but what hash_executables prints meanwhile; the rest is in variables when it ends.
contain() {
  evidence_room=$EVIDENCE
  rows=$(look)
  tamper_notes
  asked=$ADDRESSES
  spare_the_agent "$rows"
  OWN_TREE=$(own_tree)
  [ "$EVIDENCE" = 0 ] || gather "$rows"
  # The sockets first, so that their resets leave while nothing is denied yet.
  close_sockets "$rows"
  if [ -n "$ADDRESSES" ] || [ "$MODE" = quarantine ]; then find_endpoint; fi
  deny
  [ "$SESSIONS" = keep ] || act_on "$(end_sessions "$rows")"
  seen=$rows
  quiet=0
  tries=0
  while [ "$tries" -lt "$LOOKS" ]; do
    tries=$((tries + 1))
    [ "$tries" = 1 ] || sleep "$PAUSE" || sleep 1
    now=$(look)
    if [ "$(count "$now" flow)" = 0 ]; then
      quiet=$((quiet + 1))
      [ "$quiet" -ge 2 ] && break
      continue
    fi
    quiet=0
    [ "$tries" -lt "$LOOKS" ] || break
    [ "$evidence_room" -le 0 ] || gather "$now"
    for address in $(dialled_again "$seen" "$now"); do
      case " $ADDRESSES $AGENT_PEERS " in *" $address "*) continue ;; esac
      [ "$(printf '%s\n' "$ADDRESSES" | wc -w)" -lt "$DENY_LIMIT" ] || continue
      note "$address was dialled again after the close: denied too"
      ADDRESSES="$ADDRESSES $address"
      fresh=yes
    done
    close_sockets "$now"
    [ "${fresh:-no}" = yes ] && deny
    fresh=no
    left=$(stubborn "$rows" "$now")
    [ -n "$left" ] && [ "$tries" -ge 2 ] && act_on "$(stop_owners "$left")"
    seen="$seen
$now"
    rows=$now
  done
  probe_agent
  state=$(firewall_in "$HOST_PATH")
  [ "$state" = none ] || probe_peer "$seen"
  [ "$state" != none ] || [ "$MODE" = peers ] || fail 'the host firewall does not hold the quarantine'
  [ "$state" != none ] || [ -z "$asked" ] || fail 'the host firewall does not hold the addresses'
  [ -n "$SS" ] || fail 'no ss on this host: sockets could not be closed one by one, and there is only one source'
  if [ -z "$NSENTER" ] && [ "$(namespaces | wc -l)" -gt 1 ]; then fail 'no nsenter: other network namespaces were not looked at'; fi
}

main_cut() {
  {
    contain
    wait
    printf '%s\n' "$seen"
    printf '%s\n%s\n' "$seen" "$gathered" | describe
    printf 'now\n'
    printf '%s\n' "$now"
    settings "$state"
  } | report
}

act_on() {
  for act in $(printf '%s\n' "$1" | tr ' ' =); do
    pid=${act#*=}
    case $act in
      stopped=*) case " $stopped " in *" $pid "*) ;; *) stopped="$stopped $pid" ;; esac ;;
      killed=*) case " $killed " in *" $pid "*) ;; *) killed="$killed $pid" ;; esac ;;
      left=*) fail "process $pid holds a flow and is protected: left running" ;;
      ended=*) ended=$((ended + 1)) ;;
    esac
  done
}

# Removes what the case added and nothing else. Closed sockets stay closed. Processes that `cut` stopped go on if they are named.
main_undo() {
  each_namespace undo_in >/dev/null
  for pid in $PIDS; do
    grep -q '^State:[[:space:]]*T' "/proc/$pid/status" && kill -CONT "$pid"
  done
  state=none
  if [ -n "$NFT" ] && in_ns "$HOST_PATH" "$NFT" list table inet "$TABLE" >/dev/null; then state=nftables; fi
  for command in $IPTABLES $IP6TABLES; do
    in_ns "$HOST_PATH" "$command" -w -S | tr -d '"' | grep -qF -- "--comment $TABLE " && state=iptables
  done
  [ "$state" = none ] || fail 'the host firewall still holds rules of this case'
  ADDRESSES=''
  settings "$state" | report
}

# ----------------------------------------------------------------------------------------------------------- the agent's own

# Closes the connections that `cut` spares, those of the agent: they too go on behind a group that was swapped. First the verdict, then,
# out of the sight of the agent that waits for our end, the close: it would be the end of the line that the verdict goes by. What the
# agent opens again, before the swap has taken effect, is closed at the next look. A host firewall of ours does not matter for it.
main_close_agent() {
  ADDRESSES=''
  settings none | report
  # The agent waits for whoever holds our output, and ends our process group only where it cancels (agent/executers of aws/amazon-ssm-agent).
  (trap '' HUP; close_agent_later) >/dev/null 2>&1 </dev/null &
}

close_agent_later() {
  cd /
  for pause in $AGENT_PAUSES; do
    sleep "$pause"
    rows=$(look)
    before=$(agent_sockets "$rows")
    [ -n "$before" ] || continue
    [ -z "$SS" ] || each_namespace close_agent_in "$rows" >/dev/null
    left=$(still_there "$before" "$(agent_sockets "$(look)")")
    [ -z "$left" ] || restart_agent "$left"
  done
}

# Namespace, protocol, local and remote end, inode and owners of each socket with a peer that is the agent's.
agent_sockets() {
  printf '%s\n' "$1" | awk -F'\t' '$1 == "agent" && $6 > 0 && $9 != "" { print $13, $2, $3, $4, $5, $6, $16, $9 }'
}

still_there() {
  { printf '%s\n' "$1"; printf 'now\n'; printf '%s\n' "$2"; } | awk '
    $1 == "now" { look = 1; next }
    NF == 8 && !look { known[$1, $7]; next }
    NF == 8 && (($1, $7) in known)'
}

close_agent_in() {
  for protocol in tcp udp; do
    filter=$(printf '%s\n' "$4" | awk -F'\t' -v inode="$2" -v protocol="$protocol" '
      function literal(text) { return text ~ /:/ ? "[" text "]" : text }
      $1 != "agent" || $13 != inode || $2 != protocol || $6 == 0 { next }
      { printf "%s( src %s and sport = :%s and dst %s and dport = :%s )", n++ ? " or " : "", literal($3), $4, literal($5), $6 }')
    [ -n "$filter" ] || continue
    case $protocol in tcp) flag=-tn ;; udp) flag=-un ;; esac
    in_ns "$1" "$SS" -K "$flag" state connected "$filter" >/dev/null
  done
}

# The kernel does not close them, so their owners have to end, and somebody has to start them again: the service manager, by whose unit
# (KillMode=process in packaging/linux/amazon-ssm-agent.service of aws/amazon-ssm-agent) we are not ended with them. Where there is none, the
# agent's first process starts its workers anew by itself, and is left alone.
restart_agent() {
  SYSTEMCTL=$(tool systemctl)
  if [ -n "$SYSTEMCTL" ]; then
    for unit in amazon-ssm-agent.service snap.amazon-ssm-agent.amazon-ssm-agent.service; do
      "$SYSTEMCTL" is-active --quiet "$unit" && "$SYSTEMCTL" --no-block restart "$unit" && return
    done
  fi
  INITCTL=$(tool initctl)
  [ -n "$INITCTL" ] && "$INITCTL" restart amazon-ssm-agent && return
  for pid in $(printf '%s\n' "$1" | awk '{ print $8 }' | tr , ' '); do
    case $(link_of "/proc/$pid/exe") in */ssm-agent-worker | */ssm-session-worker | */ssm-agent-worker' (deleted)') kill -TERM "$pid" ;; esac
  done
}

case $VERB in
  close-agent) main_close_agent ;;
  list | verify) main_list ;;
  cut) main_cut ;;
  undo) main_undo ;;
esac
