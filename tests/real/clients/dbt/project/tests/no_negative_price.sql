select * from {{ ref('loads') }} where totalprice < 0
