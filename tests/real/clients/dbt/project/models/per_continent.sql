{{ config(materialized='view') }}
select continent, count(*) as nations from {{ ref('nations') }} group by continent
