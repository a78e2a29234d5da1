//! A configuration in the shape that the fold works with: names parsed, addresses taken apart, indices resolved.
//!
//! `config::check` has refused what is wrong long before; what slips through it is refused here in words, and the
//! old plan stays. No state, and no I/O but that the files of `tls` are read.

use std::{sync::Arc, time::Duration};

use ahash::AHashMap;
use sluice_routing::{
    BackendName, Condition, Field, GroupName, OnEmpty, Rule, RuleSet, Select as RoutingSelect,
};

use crate::{
    backends::health::Limits,
    config::{
        model::{
            self, Challenge, ColdStart, Config, Patterns, Resume, Select, Stats, Suspend, Uris,
            When,
        },
        trust::{self, Trust},
    },
    snapshot::BackendUrl,
};

/// What the file wants.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) groups: Vec<PlannedGroup>,
    /// Where each stands in `groups`: each probe looks its group up.
    places: AHashMap<GroupName, usize>,
    pub(crate) default_group: Option<usize>,
    pub(crate) rules: Arc<RuleSet>,
    /// The rules' names with the group that each leads to.
    pub(crate) decisions: Vec<(String, GroupName)>,
    pub(crate) remember_for: Duration,
}

/// A group of the file.
#[derive(Debug)]
pub(crate) struct PlannedGroup {
    pub(crate) name: GroupName,
    pub(crate) namespace: Arc<str>,
    pub(crate) xtrinode: Arc<str>,
    pub(crate) select: RoutingSelect,
    pub(crate) on_empty: OnEmpty,
    pub(crate) cold_start: ColdStart,
    pub(crate) suspend: Option<Suspend>,
    pub(crate) backends: Vec<PlannedBackend>,
}

/// A backend of the file.
#[derive(Clone, Debug)]
pub(crate) struct PlannedBackend {
    pub(crate) name: BackendName,
    pub(crate) url: BackendUrl,
    pub(crate) weight: u32,
    pub(crate) uris: Uris,
    pub(crate) limits: Limits,
    pub(crate) tempo: Tempo,
    pub(crate) resume: Option<Resume>,
    pub(crate) stats: Option<Stats>,
    pub(crate) challenge: Challenge,
    /// Where its URL is `https`.
    pub(crate) trust: Option<Arc<Trust>>,
    /// Whether any certificate of it is taken.
    pub(crate) unjudged: bool,
}

/// How often and how long a backend is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Tempo {
    /// Between two probes.
    pub(crate) interval: Duration,
    /// For one probe.
    pub(crate) timeout: Duration,
    /// Failures in a row after which a dead backend is known to be dead.
    pub(crate) fall: u32,
    /// Somebody waits for it to wake: ask often.
    pub(crate) eager: bool,
}

impl Plan {
    /// Compiles a configuration; fails with every problem in words.
    pub(crate) fn of(config: &Config) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut trusts = trust::Reader::default();
        let groups = config
            .routing_groups
            .iter()
            .filter_map(|group| {
                planned_group(config, group, &mut trusts).map_err(|p| problems.extend(p)).ok()
            })
            .collect::<Vec<_>>();
        let rules = compile(config).map_err(|p| problems.extend(p)).ok();
        let default_group = default_group(config).map_err(|p| problems.push(p)).ok().flatten();
        let Some((rules, decisions)) = rules.filter(|_| problems.is_empty()) else {
            return Err(problems);
        };
        let remember_for = config.queries.remember_for.get();
        let named = groups.iter().enumerate().map(|(at, group)| (group.name.clone(), at));
        let places = named.collect();
        Ok(Self { groups, places, default_group, rules: Arc::new(rules), decisions, remember_for })
    }

    /// Tells of what works and should not stay so.
    pub(crate) fn warn(&self) {
        let backends =
            self.groups.iter().flat_map(|group| group.backends.iter().map(|b| (&group.name, b)));
        for (routing_group, backend) in backends.filter(|(_, backend)| backend.unjudged) {
            tracing::warn!(
                event = "tls_not_verified", backend = %backend.name, %routing_group,
                "any certificate of this backend is taken (`insecureSkipVerify`): who stands between reads passwords and rows"
            );
        }
    }

    /// The group of that name.
    pub(crate) fn group(&self, name: &GroupName) -> Option<&PlannedGroup> {
        self.groups.get(*self.places.get(name)?)
    }
}

/// The group of unclaimed statements: the one that is named, or the only one.
fn default_group(config: &Config) -> Result<Option<usize>, String> {
    match &config.default_routing_group {
        Some(name) => index_of(config, name).map(Some),
        None => Ok((config.routing_groups.len() == 1).then_some(0)),
    }
}

fn index_of(config: &Config, group: &str) -> Result<usize, String> {
    config
        .routing_groups
        .iter()
        .position(|each| each.name == group)
        .ok_or_else(|| format!("no routing group is called `{group}`"))
}

fn planned_group(
    config: &Config,
    group: &model::RoutingGroup,
    trusts: &mut trust::Reader,
) -> Result<PlannedGroup, Vec<String>> {
    let (namespace, xtrinode) = group.name.split_once("--").unwrap_or(("", &group.name));
    let mut problems = Vec::new();
    let backends = group
        .backends
        .iter()
        .filter_map(|backend| {
            planned_backend(config, backend, trusts).map_err(|p| problems.push(p)).ok()
        })
        .collect();
    let name = group_name(&group.name).map_err(|p| problems.push(p)).ok();
    let on_empty = on_empty(config, &group.on_empty).map_err(|p| problems.push(p)).ok();
    let (Some(name), Some(on_empty), true) = (name, on_empty, problems.is_empty()) else {
        return Err(problems);
    };
    Ok(PlannedGroup {
        name,
        namespace: group.namespace.as_deref().unwrap_or(namespace).into(),
        xtrinode: group.xtrinode.as_deref().unwrap_or(xtrinode).into(),
        select: select(group.select),
        on_empty,
        cold_start: group.cold_start.clone(),
        suspend: group.suspend.clone(),
        backends,
    })
}

fn group_name(text: &str) -> Result<GroupName, String> {
    GroupName::parse(text).ok_or_else(|| format!("`{text}` is no name of a routing group"))
}

fn on_empty(config: &Config, text: &str) -> Result<OnEmpty, String> {
    match text {
        "refuse" => Ok(OnEmpty::Refuse),
        group => index_of(config, group).map(OnEmpty::Group),
    }
}

fn select(select: Select) -> RoutingSelect {
    match select {
        Select::LeastLoaded => RoutingSelect::LeastLoaded,
        Select::Weighted => RoutingSelect::Weighted,
        Select::UserHash => RoutingSelect::UserHash,
    }
}

fn planned_backend(
    config: &Config,
    backend: &model::Backend,
    trusts: &mut trust::Reader,
) -> Result<PlannedBackend, String> {
    let name = BackendName::parse(&backend.name)
        .ok_or_else(|| format!("`{}` is no name of a backend", backend.name))?;
    let (common, own) = (&config.health, backend.health.clone().unwrap_or_default());
    let fall = own.fall.unwrap_or(common.fall).max(1);
    let url = BackendUrl::parse(&backend.url)?;
    let trust = match url.is_secure() {
        true => Some(trusts.read(backend.tls.as_ref()).map_err(|p| format!("`{name}`: {p}"))?),
        false => None,
    };
    Ok(PlannedBackend {
        name,
        url,
        weight: backend.weight,
        uris: backend.uris,
        limits: Limits { rise: own.rise.unwrap_or(common.rise).max(1), fall },
        tempo: Tempo {
            interval: own.interval.unwrap_or(common.interval).get(),
            timeout: own.timeout.unwrap_or(common.timeout).get(),
            fall,
            eager: false,
        },
        resume: backend.resume.clone(),
        stats: backend.stats.clone(),
        challenge: backend.challenge,
        unjudged: trust.is_some() && backend.tls.as_ref().is_some_and(|it| it.insecure_skip_verify),
        trust,
    })
}

type Compiled = (RuleSet, Vec<(String, GroupName)>);

fn compile(config: &Config) -> Result<Compiled, Vec<String>> {
    let mut problems = Vec::new();
    let rules: Vec<Rule> = config
        .rules
        .iter()
        .filter_map(|rule| self::rule(config, rule).map_err(|p| problems.push(p)).ok())
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let decisions = rules.iter().map(|rule| (rule.name.clone(), rule.group.clone())).collect();
    match RuleSet::compile(rules) {
        Ok(rules) => Ok((rules, decisions)),
        Err(wrong) => Err(wrong
            .iter()
            .map(|each| {
                let name = config.rules.get(each.rule).map_or("?", |rule| &rule.name);
                format!("rule `{name}`: {}", each.problem)
            })
            .collect()),
    }
}

fn rule(config: &Config, rule: &model::Rule) -> Result<Rule, String> {
    index_of(config, &rule.routing_group)
        .map_err(|problem| format!("rule `{}`: {problem}", rule.name))?;
    Ok(Rule {
        name: rule.name.clone(),
        when: condition(&rule.when),
        group: group_name(&rule.routing_group)?,
    })
}

/// Every key that is given must hold.
fn condition(when: &When) -> Condition {
    let fields = [
        (Field::Source, &when.source),
        (Field::User, &when.user),
        (Field::Host, &when.host),
        (Field::ClientTags, &when.client_tags),
        (Field::Catalog, &when.catalog),
        (Field::Schema, &when.schema),
    ];
    let mut all: Vec<Condition> = fields
        .into_iter()
        .filter_map(|(field, patterns)| Some(Condition::Is(field, listed(patterns.as_ref()?))))
        .collect();
    let headers = when.headers.iter();
    all.extend(headers.map(|(name, p)| Condition::Is(Field::Header(name.clone()), listed(p))));
    all.extend(when.all.iter().map(|each| Condition::All(each.iter().map(condition).collect())));
    all.extend(when.any.iter().map(|each| Condition::Any(each.iter().map(condition).collect())));
    all.extend(when.not.iter().map(|each| Condition::Not(Box::new(condition(each)))));
    Condition::All(all)
}

fn listed(patterns: &Patterns) -> Vec<String> {
    match patterns {
        Patterns::One(pattern) => vec![pattern.clone()],
        Patterns::Many(patterns) => patterns.clone(),
    }
}
