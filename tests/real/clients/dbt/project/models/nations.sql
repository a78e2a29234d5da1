{{ config(materialized='table') }}
select n.nationkey, n.name, c.continent
from tpch.tiny.nation n left join {{ ref('continents') }} c on n.regionkey = c.regionkey
