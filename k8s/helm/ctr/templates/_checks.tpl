{{/*
What can't work, or loses what it should keep, is refused with the value to change. Each template of a workload begins with these checks.
*/}}
{{- define "ctr.check" -}}
{{- include "ctr.checkClickHouse" . -}}
{{- include "ctr.checkKafka" . -}}
{{- include "ctr.checkHttp" . -}}
{{- include "ctr.checkGrace" . -}}
{{- include "ctr.checkReplicas" . -}}
{{- include "ctr.checkStorage" . -}}
{{- include "ctr.checkNetwork" . -}}
{{- include "ctr.checkMonitoring" . -}}
{{- if and .Values.secret.existingSecret .Values.secret.values -}}
{{- fail "secret.existingSecret and secret.values exclude each other: remove one of the two" -}}
{{- end -}}
{{- end }}

{{- define "ctr.checkClickHouse" -}}
{{- $clickhouse := .Values.config.clickhouse | default dict -}}
{{- if $clickhouse.embedded -}}
{{- fail "config.clickhouse.embedded: the image has no embedded ClickHouse; remove it, and set config.clickhouse.url to a server, such as http://clickhouse:8123" -}}
{{- end -}}
{{- if not $clickhouse.url -}}
{{- fail "config.clickhouse.url is missing: set it to a server, such as http://clickhouse:8123; the image has no embedded ClickHouse" -}}
{{- end -}}
{{- end }}

{{- define "ctr.checkKafka" -}}
{{- if not (get (.Values.config.kafka | default dict) "brokers") -}}
{{- fail "config.kafka.brokers is missing: its default is the pod itself; list your brokers, such as [kafka:9092]" -}}
{{- end -}}
{{- end }}

{{- define "ctr.checkHttp" -}}
{{- $http := .Values.config.http | default dict -}}
{{- if has (get $http "host" | default "127.0.0.1") (list "127.0.0.1" "localhost" "::1") -}}
{{- fail "config.http.host is the pod's loopback, where no probe and no scraper comes: set it to 0.0.0.0" -}}
{{- end -}}
{{- $port := get $http "port" -}}
{{- if kindIs "string" $port -}}{{- if not (regexMatch "^[0-9]+$" $port) -}}
{{- fail (printf "config.http.port is %s: write the number itself, for probes and Services need it" $port) -}}
{{- end -}}{{- end -}}
{{- if not (kindIs "invalid" $port) -}}{{- if lt (int $port) 1 -}}
{{- fail "config.http.port is 0, which takes any free port: write a number, for probes and Services need it" -}}
{{- end -}}{{- end -}}
{{- end }}

{{- define "ctr.checkGrace" -}}
{{- $timeout := get (.Values.config.shutdown | default dict) "timeout" | default "30s" -}}
{{- $seconds := include "ctr.seconds" $timeout -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if not $seconds -}}
{{- if kindIs "invalid" $given -}}
{{- fail (printf "config.shutdown.timeout is %v, which can't be known here: set terminationGracePeriodSeconds to 10 s more than it can be" $timeout) -}}
{{- end -}}
{{- else if not (kindIs "invalid" $given) -}}
{{- $least := add $seconds 10 -}}
{{- if lt (int64 $given) $least -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, and config.shutdown.timeout %v: a pod that is killed while it drains reads again what it had counted; set it to %d or more, or remove it" (int64 $given) $timeout $least) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "ctr.checkReplicas" -}}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled -}}
{{- fail "autoscaling.enabled and keda.enabled exclude each other: two autoscalers would work against each other" -}}
{{- end -}}
{{- range $name := list "autoscaling" "keda" -}}
{{- with get $.Values $name -}}{{- if and .enabled (lt (int .maxReplicas) (int .minReplicas)) -}}
{{- fail (printf "%s.maxReplicas is %d, less than minReplicas, %d: raise it" $name (int .maxReplicas) (int .minReplicas)) -}}
{{- end -}}{{- end -}}
{{- end -}}
{{- if and .Values.keda.enabled (not .Values.keda.serverAddress) -}}
{{- fail "keda.serverAddress is missing: set it to your Prometheus, such as http://prometheus-operated.monitoring:9090" -}}
{{- end -}}
{{- if not (kindIs "invalid" .Values.partitions) -}}
{{- $most := int (include "ctr.mostReplicas" .) -}}
{{- if gt $most (int .Values.partitions) -}}
{{- fail (printf "%s is %d, and a topic has %d partitions: further pods have nothing to do; set it to %d at most, or add partitions" (include "ctr.mostReplicasKey" .) $most (int .Values.partitions) (int .Values.partitions)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "ctr.mostReplicasKey" -}}
{{- if .Values.autoscaling.enabled }}autoscaling.maxReplicas{{ else if .Values.keda.enabled }}keda.maxReplicas{{ else }}replicas{{ end -}}
{{- end }}

{{- define "ctr.mostReplicas" -}}
{{- if .Values.autoscaling.enabled }}{{ int .Values.autoscaling.maxReplicas }}{{ else if .Values.keda.enabled }}{{ int .Values.keda.maxReplicas }}{{ else }}{{ int .Values.replicas }}{{ end -}}
{{- end }}

{{- define "ctr.checkStorage" -}}
{{- $storage := get (.Values.config.checkpoint | default dict) "storage" -}}
{{- if not $storage -}}
{{- fail "config.checkpoint.storage is missing: its default is a directory beside the program, which can't be written; set it to s3://bucket/prefix, a mounted directory, or none" -}}
{{- end -}}
{{- $elsewhere := or (eq $storage "none") (hasPrefix "s3://" $storage) (contains "${" $storage) -}}
{{- if and (not $elsewhere) (gt (int (include "ctr.mostReplicas" .)) 1) -}}
{{- fail (printf "config.checkpoint.storage is %s, a directory, and %s %s: a pod that takes over partitions would not find their state; set it to s3://bucket/prefix or none, or run one pod" $storage (include "ctr.mostReplicasKey" .) (include "ctr.mostReplicas" .)) -}}
{{- end -}}
{{- end }}

{{- define "ctr.checkNetwork" -}}
{{- if .Values.networkPolicy.enabled -}}
{{- $needed := list "dns" "kafka" "clickhouse" -}}
{{- $storage := get (.Values.config.checkpoint | default dict) "storage" | default "" -}}
{{- if hasPrefix "s3://" $storage -}}{{- $needed = append $needed "s3" -}}{{- end -}}
{{- if get (.Values.config.schemaRegistry | default dict) "url" -}}{{- $needed = append $needed "registry" -}}{{- end -}}
{{- range $needed -}}
{{- $peer := get $.Values.networkPolicy.egress . -}}
{{- if not $peer.to -}}
{{- fail (printf "networkPolicy.egress.%s.to is empty: list ipBlock, namespaceSelector or podSelector; a NetworkPolicy can't name hosts" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "ctr.checkMonitoring" -}}
{{- with .Values.monitoring -}}
{{- if and .serviceMonitor.enabled .podMonitor.enabled -}}
{{- fail "monitoring.serviceMonitor.enabled and monitoring.podMonitor.enabled exclude each other: every pod would be counted twice" -}}
{{- end -}}
{{- if and .rules.enabled (not ($.Files.Get "monitoring/rules.yml")) -}}
{{- fail "monitoring.rules.enabled: this chart has no monitoring/rules.yml; in the repository run `npm run chart`, or set it to false" -}}
{{- end -}}
{{- if and .dashboards.enabled (not ($.Files.Glob "monitoring/dashboards/*.json")) -}}
{{- fail "monitoring.dashboards.enabled: this chart has no monitoring/dashboards; in the repository run `npm run chart`, or set it to false" -}}
{{- end -}}
{{- end -}}
{{- end }}
